//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html>

use super::get_dashboard::arn;
use crate::Error;
use escale_base::{Wire, wire::Value};
use escale_service::{Cx, Operation};
use escale_tables::cloudwatch::{Dashboard, DashboardName};

pub(crate) struct PutDashboard;

#[derive(Wire)]
pub(crate) struct Input {
    dashboard_name: DashboardName,
    dashboard_body: String,
}

#[derive(Wire)]
pub(crate) struct Output {
    dashboard_validation_messages: Vec<Value>,
}

/// AWS's largest dashboard, and the most that are kept here.
const BYTES: usize = 1024 * 1024;
const DASHBOARDS: usize = 100;

impl Operation for PutDashboard {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![arn(cx.config, &input.dashboard_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let (name, body) = (input.dashboard_name, input.dashboard_body);
        let is_valid = (1..=255).contains(&name.len())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        if !is_valid {
            return Err(Error::Dashboard(format!(
                "The value {name} for field DashboardName contains invalid characters."
            )));
        }
        let parsed = serde_json::from_str::<Value>(&body).ok();
        if body.len() > BYTES || !parsed.is_some_and(|tree| tree.is_object()) {
            return Err(Error::Dashboard(
                "The field DashboardBody must be a valid JSON object of at most 1 MB.".into(),
            ));
        }
        let is_new = !cx.tx.has::<Dashboard>(&name);
        if is_new && cx.tx.scan::<Dashboard>().count() >= DASHBOARDS {
            return Err(Error::Limit(format!("An installation has at most {DASHBOARDS} dashboards.")));
        }
        cx.tx.put(Dashboard { name, body, modified: cx.now });
        Ok(Output { dashboard_validation_messages: Vec::new() })
    }
}

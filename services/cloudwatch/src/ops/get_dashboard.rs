//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetDashboard.html>

use crate::Error;
use escale_base::{Arn, Wire};
use escale_service::{Config, Cx, Operation};
use escale_tables::cloudwatch::{Dashboard, DashboardName};

pub(crate) struct GetDashboard;

#[derive(Wire)]
pub(crate) struct Input {
    dashboard_name: DashboardName,
}

#[derive(Wire)]
pub(crate) struct Output {
    dashboard_arn: String,
    pub(crate) dashboard_body: String,
    dashboard_name: DashboardName,
}

/// Dashboards belong to no region.
pub(super) fn arn(config: &Config, name: &DashboardName) -> String {
    Arn::new("cloudwatch", "", &config.account, format!("dashboard/{name}")).to_string()
}

impl Operation for GetDashboard {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![arn(cx.config, &input.dashboard_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let name = input.dashboard_name;
        let row = cx.tx.get::<Dashboard>(&name).ok_or_else(|| Error::NoResource(name.to_string()))?;
        Ok(Output {
            dashboard_arn: arn(cx.config, &name),
            dashboard_body: row.body.clone(),
            dashboard_name: name,
        })
    }
}

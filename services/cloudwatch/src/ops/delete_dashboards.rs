//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteDashboards.html>

use super::get_dashboard::arn;
use crate::Error;
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudwatch::{Dashboard, DashboardName};

pub(crate) struct DeleteDashboards;

#[derive(Wire)]
pub(crate) struct Input {
    dashboard_names: Vec<DashboardName>,
}

impl Operation for DeleteDashboards {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        input.dashboard_names.iter().map(|name| arn(cx.config, name)).collect()
    }

    /// All or none, as on AWS.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        if let Some(missing) = input.dashboard_names.iter().find(|name| !cx.tx.has::<Dashboard>(name)) {
            return Err(Error::NoResource(missing.to_string()));
        }
        for name in &input.dashboard_names {
            cx.tx.delete::<Dashboard>(name);
        }
        Ok(())
    }
}

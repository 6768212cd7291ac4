//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListDashboards.html>

use super::get_dashboard::arn;
use crate::Error;
use escale_base::{Timestamp, Wire};
use escale_service::{Cx, Operation};
use escale_tables::cloudwatch::{Dashboard, DashboardName};

pub(crate) struct ListDashboards;

#[derive(Wire)]
pub(crate) struct Input {
    dashboard_name_prefix: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    dashboard_entries: Vec<Entry>,
}

#[derive(Wire)]
struct Entry {
    dashboard_name: DashboardName,
    dashboard_arn: String,
    last_modified: Timestamp,
    size: usize,
}

impl Operation for ListDashboards {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    /// One page: an installation has few.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let prefix = input.dashboard_name_prefix.unwrap_or_default();
        let found = cx.tx.scan::<Dashboard>().filter(|d| d.name.starts_with(&prefix));
        let entry = |d: std::sync::Arc<Dashboard>| Entry {
            dashboard_name: d.name.clone(),
            dashboard_arn: arn(cx.config, &d.name),
            last_modified: d.modified,
            size: d.body.len(),
        };
        Ok(Output { dashboard_entries: found.map(entry).collect() })
    }
}

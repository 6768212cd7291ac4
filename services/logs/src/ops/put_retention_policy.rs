//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::logs::{LogGroup, LogGroupName};

pub(crate) struct PutRetentionPolicy;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    log_group_name: LogGroupName,
    retention_in_days: i32,
}

impl Operation for PutRetentionPolicy {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::group_resource(cx.config, &input.log_group_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        rules::check_retention(input.retention_in_days)?;
        let set = |g: &mut LogGroup| g.retention_days = Some(input.retention_in_days);
        cx.tx.update(&input.log_group_name, set).ok_or(Error::NoGroup)
    }
}

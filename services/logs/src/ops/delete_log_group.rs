//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteLogGroup.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_store::Row;
use escale_tables::logs::{LogGroup, LogGroupName, LogStream};

pub(crate) struct DeleteLogGroup;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    log_group_name: LogGroupName,
}

impl Operation for DeleteLogGroup {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::group_resource(cx.config, &input.log_group_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let group = rules::group(cx.tx, &input.log_group_name)?;
        let prefix = format!("{}:", group.name);
        let streams: Vec<String> = cx.tx.prefix::<LogStream>(&prefix).map(|s| s.key()).collect();
        for key in streams {
            cx.tx.delete::<LogStream>(&key);
        }
        // The sweep deletes the events in the plane once their stream's row is gone.
        cx.tx.delete::<LogGroup>(&group.name);
        Ok(())
    }
}

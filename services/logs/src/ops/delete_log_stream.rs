//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteLogStream.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_store::Row;
use escale_tables::logs::{LogGroupName, LogStream, LogStreamName};

pub(crate) struct DeleteLogStream;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    log_group_name: LogGroupName,
    log_stream_name: LogStreamName,
}

impl Operation for DeleteLogStream {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::stream_resource(cx.config, &input.log_group_name, &input.log_stream_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let stream = rules::stream(cx.tx, &input.log_group_name, &input.log_stream_name)?;
        // The sweep deletes the events in the plane.
        cx.tx.delete::<LogStream>(&stream.key());
        Ok(())
    }
}

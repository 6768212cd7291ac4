//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogStream.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_base::ids;
use escale_service::{Cx, Operation};
use escale_tables::logs::{LogGroupName, LogStream, LogStreamId, LogStreamName};

pub(crate) struct CreateLogStream;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    log_group_name: LogGroupName,
    log_stream_name: LogStreamName,
}

impl Operation for CreateLogStream {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::stream_resource(cx.config, &input.log_group_name, &input.log_stream_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        rules::group(cx.tx, &input.log_group_name)?;
        rules::check_stream_name(&input.log_stream_name)?;
        if rules::stream(cx.tx, &input.log_group_name, &input.log_stream_name).is_ok() {
            return Err(Error::StreamExists);
        }
        cx.tx.put(LogStream {
            group: input.log_group_name,
            name: input.log_stream_name,
            // The plane stores events under this id, so a stream that is created again under the same name starts empty.
            id: LogStreamId(ids::random_hex(24)),
            created: cx.now,
        });
        Ok(())
    }
}

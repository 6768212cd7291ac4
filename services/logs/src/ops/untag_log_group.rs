//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_UntagLogGroup.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::logs::{LogGroup, LogGroupName};

pub(crate) struct UntagLogGroup;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    log_group_name: LogGroupName,
    tags: Vec<String>,
}

impl Operation for UntagLogGroup {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::group_resource(cx.config, &input.log_group_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let remove = |g: &mut LogGroup| g.tags.retain(|t| !input.tags.contains(&t.key));
        cx.tx.update(&input.log_group_name, remove).ok_or(Error::NoGroup)
    }
}

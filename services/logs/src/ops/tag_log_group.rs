//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_TagLogGroup.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_base::tags;
use escale_service::{Cx, Operation};
use escale_tables::logs::{LogGroup, LogGroupName};
use std::collections::BTreeMap;

pub(crate) struct TagLogGroup;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    log_group_name: LogGroupName,
    tags: BTreeMap<String, String>,
}

impl Operation for TagLogGroup {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::group_resource(cx.config, &input.log_group_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let add = |g: &mut LogGroup| tags::merge(&mut g.tags, rules::tag_list(input.tags));
        cx.tx.update(&input.log_group_name, add).ok_or(Error::NoGroup)
    }
}

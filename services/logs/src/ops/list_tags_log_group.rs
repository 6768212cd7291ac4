//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_ListTagsLogGroup.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::logs::LogGroupName;
use std::collections::BTreeMap;

pub(crate) struct ListTagsLogGroup;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    log_group_name: LogGroupName,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    tags: BTreeMap<String, String>,
}

impl Operation for ListTagsLogGroup {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::group_resource(cx.config, &input.log_group_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let group = rules::group(cx.tx, &input.log_group_name)?;
        Ok(Output { tags: rules::tag_map(&group.tags) })
    }
}

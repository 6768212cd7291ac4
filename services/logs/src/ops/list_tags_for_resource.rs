//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_ListTagsForResource.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use std::collections::BTreeMap;

pub(crate) struct ListTagsForResource;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    resource_arn: String,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    pub(crate) tags: BTreeMap<String, String>,
}

impl Operation for ListTagsForResource {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.resource_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let group = rules::group(cx.tx, &rules::group_of_arn(&input.resource_arn)?)?;
        Ok(Output { tags: rules::tag_map(&group.tags) })
    }
}

//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_TagResource.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_base::tags;
use escale_service::{Cx, Operation};
use escale_tables::logs::LogGroup;
use std::collections::BTreeMap;

pub(crate) struct TagResource;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    resource_arn: String,
    tags: BTreeMap<String, String>,
}

impl Operation for TagResource {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.resource_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let name = rules::group_of_arn(&input.resource_arn)?;
        let add = |g: &mut LogGroup| tags::merge(&mut g.tags, rules::tag_list(input.tags));
        cx.tx.update(&name, add).ok_or(Error::NoGroup)
    }
}

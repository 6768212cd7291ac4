//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeTagsForResource.html>

use crate::choices::TagResourceType;
use crate::{Error, tagging};
use escale_base::{Tag, Wire, tags};
use escale_service::{Cx, Operation};

pub(crate) struct ChangeTagsForResource;

#[derive(Wire)]
pub(crate) struct Input {
    resource_type: TagResourceType,
    resource_id: String,
    add_tags: Vec<Tag>,
    remove_tag_keys: Vec<String>,
}

#[derive(Wire)]
pub(crate) struct Output {}

impl Operation for ChangeTagsForResource {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![tagging::arn(input.resource_type, &input.resource_id)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut set = tagging::set(cx.tx, input.resource_type, &input.resource_id)?;
        set.tags.retain(|tag| !input.remove_tag_keys.contains(&tag.key));
        tags::merge(&mut set.tags, input.add_tags);
        tagging::put(cx.tx, set)?;
        Ok(Output {})
    }
}

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
        vec![crate::rules::zone_arn(&input.resource_id)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut zone = tagging::zone(cx.tx, input.resource_type, &input.resource_id)?;
        zone.tags.retain(|tag| !input.remove_tag_keys.contains(&tag.key));
        tags::merge(&mut zone.tags, input.add_tags);
        cx.tx.put(zone);
        Ok(Output {})
    }
}

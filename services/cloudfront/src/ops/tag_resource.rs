//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_TagResource.html>

use super::create_distribution_with_tags::Tags;
use crate::Error;
use escale_base::{Tag, Wire, tags};
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::Distribution;

pub(crate) struct TagResource;

#[derive(Wire)]
pub(crate) struct Input {
    resource: String,
    tags: Tags,
}

impl Operation for TagResource {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.resource.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        change(cx, &input.resource, |tags| tags::merge(tags, input.tags.items))
    }
}

/// Changes the tags of the distribution with this ARN.
pub(super) fn change(cx: &mut Cx<'_>, arn: &str, change: impl FnOnce(&mut Vec<Tag>)) -> Result<(), Error> {
    let id = arn.rsplit_once(":distribution/").map_or("", |(_, id)| id);
    let changed = cx.tx.update(id, |d: &mut Distribution| change(&mut d.tags));
    changed.ok_or_else(|| Error::NoTagged(arn.to_owned()))
}

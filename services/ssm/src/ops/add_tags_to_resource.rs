//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_AddTagsToResource.html>

use crate::choices::ResourceTypeForTagging;
use crate::{Error, rules};
use escale_base::{Tag, Wire};
use escale_service::{Cx, Operation};
use escale_tables::ssm::Parameter;

pub(crate) struct AddTagsToResource;

#[derive(Wire)]
pub(crate) struct Input {
    resource_type: ResourceTypeForTagging,
    resource_id: String,
    tags: Vec<Tag>,
}

impl Operation for AddTagsToResource {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, &rules::name_of(cx.tx, &input.resource_id))]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        rules::check_tagged_type(input.resource_type)?;
        let name = rules::name_of(cx.tx, &input.resource_id);
        let change = |p: &mut Parameter| escale_base::tags::merge(&mut p.tags, input.tags);
        cx.tx.update(&name, change).ok_or(Error::NoResource(input.resource_id))
    }
}

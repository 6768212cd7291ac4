//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ListTagsForResource.html>

use crate::choices::ResourceTypeForTagging;
use crate::{Error, rules};
use escale_base::{Tag, Wire};
use escale_service::{Cx, Operation};
use escale_tables::ssm::Parameter;

pub(crate) struct ListTagsForResource;

#[derive(Wire)]
pub(crate) struct Input {
    resource_type: ResourceTypeForTagging,
    resource_id: String,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) tag_list: Vec<Tag>,
}

impl Operation for ListTagsForResource {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, &rules::name_of(cx.tx, &input.resource_id))]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        rules::check_tagged_type(input.resource_type)?;
        let name = rules::name_of(cx.tx, &input.resource_id);
        let row = cx.tx.get::<Parameter>(&name).ok_or(Error::NoResource(input.resource_id))?;
        Ok(Output { tag_list: row.tags.clone() })
    }
}

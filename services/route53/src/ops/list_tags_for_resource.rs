//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListTagsForResource.html>

use crate::choices::TagResourceType;
use crate::{Error, tagging};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct ListTagsForResource;

#[derive(Wire)]
pub(crate) struct Input {
    resource_type: TagResourceType,
    resource_id: String,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) resource_tag_set: tagging::TagSet,
}

impl Operation for ListTagsForResource {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![tagging::arn(input.resource_type, &input.resource_id)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        Ok(Output { resource_tag_set: tagging::set(cx.tx, input.resource_type, &input.resource_id)? })
    }
}

//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListTagsForResources.html>

use crate::choices::TagResourceType;
use crate::{Error, tagging};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct ListTagsForResources;

#[derive(Wire)]
pub(crate) struct Input {
    resource_type: TagResourceType,
    resource_ids: Vec<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    resource_tag_sets: Vec<tagging::TagSet>,
}

impl Operation for ListTagsForResources {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        input.resource_ids.iter().map(|id| tagging::arn(input.resource_type, id)).collect()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let sets = input.resource_ids.iter().map(|id| tagging::set(cx.tx, input.resource_type, id));
        Ok(Output { resource_tag_sets: sets.collect::<Result<_, Error>>()? })
    }
}

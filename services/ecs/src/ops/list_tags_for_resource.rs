//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTagsForResource.html>

use crate::tagged;
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct ListTagsForResource;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    resource_arn: String,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    tags: Vec<rules::TagShape>,
}

impl Operation for ListTagsForResource {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        let _ = cx;
        vec![input.resource_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        Ok(Output { tags: rules::tags_out(&tagged::read(cx, &input.resource_arn)?) })
    }
}

//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListTagsForResource.html>

use crate::{Error, rules, shapes};
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
    pub(crate) tags: Vec<shapes::Tag>,
}

impl Operation for ListTagsForResource {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.resource_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let name = rules::name_of_arn(&input.resource_arn)?;
        Ok(Output { tags: rules::row(cx, None, &name)?.tags.clone() })
    }
}

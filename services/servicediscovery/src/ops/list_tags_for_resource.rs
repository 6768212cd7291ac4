//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_ListTagsForResource.html>

use crate::{Error, rules};
use escale_base::{Tag, Wire};
use escale_service::{Cx, Operation};

pub(crate) struct ListTagsForResource;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("ResourceARN")]
    resource_arn: String,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) tags: Vec<Tag>,
}

impl Operation for ListTagsForResource {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.resource_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        Ok(Output { tags: rules::tagged(cx.tx, &input.resource_arn)?.tags().to_vec() })
    }
}

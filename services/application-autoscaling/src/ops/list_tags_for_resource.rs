//! <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_ListTagsForResource.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use std::collections::BTreeMap;

pub(crate) struct ListTagsForResource;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("ResourceARN")]
    resource_arn: String,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) tags: BTreeMap<String, String>,
}

impl Operation for ListTagsForResource {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.resource_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let target = rules::target_of_arn(cx.tx, &input.resource_arn)?;
        Ok(Output { tags: rules::tag_map(&target.tags) })
    }
}

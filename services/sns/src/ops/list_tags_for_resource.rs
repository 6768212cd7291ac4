//! <https://docs.aws.amazon.com/sns/latest/api/API_ListTagsForResource.html>

use crate::Error;
use escale_base::{Tag, Wire};
use escale_service::{Cx, Operation};
use escale_tables::sns::Topic;

pub(crate) struct ListTagsForResource;

#[derive(Wire)]
pub(crate) struct Input {
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

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.resource_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let topic = cx.tx.get::<Topic>(&input.resource_arn).ok_or(Error::NoResource)?;
        Ok(Output { tags: topic.tags.clone() })
    }
}

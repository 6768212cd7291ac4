//! <https://docs.aws.amazon.com/sns/latest/api/API_TagResource.html>

use crate::Error;
use escale_base::{Tag, Wire, tags};
use escale_service::{Cx, Operation};
use escale_tables::sns::Topic;

pub(crate) struct TagResource;

#[derive(Wire)]
pub(crate) struct Input {
    resource_arn: String,
    tags: Vec<Tag>,
}

impl Operation for TagResource {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.resource_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let add = |topic: &mut Topic| tags::merge(&mut topic.tags, input.tags);
        cx.tx.update(&input.resource_arn, add).ok_or(Error::NoResource)
    }
}

//! <https://docs.aws.amazon.com/sns/latest/api/API_UntagResource.html>

use crate::Error;
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::sns::Topic;

pub(crate) struct UntagResource;

#[derive(Wire)]
pub(crate) struct Input {
    resource_arn: String,
    tag_keys: Vec<String>,
}

impl Operation for UntagResource {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.resource_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let remove = |topic: &mut Topic| topic.tags.retain(|tag| !input.tag_keys.contains(&tag.key));
        cx.tx.update(&input.resource_arn, remove).ok_or(Error::NoResource)
    }
}

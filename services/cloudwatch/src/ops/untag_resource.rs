//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_UntagResource.html>

use crate::{
    Error,
    alarms::{name_of_arn, update_tags},
};
use escale_base::{Tag, Wire};
use escale_service::{Cx, Operation};

pub(crate) struct UntagResource;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("ResourceARN")]
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
        let name = name_of_arn(&input.resource_arn)?;
        let remove = |tags: &mut Vec<Tag>| tags.retain(|tag| !input.tag_keys.contains(&tag.key));
        update_tags(cx.tx, &name, remove).ok_or(Error::NoResource(input.resource_arn))
    }
}

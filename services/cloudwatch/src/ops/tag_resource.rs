//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_TagResource.html>

use crate::{
    Error,
    alarms::{name_of_arn, update_tags},
};
use escale_base::{Tag, Wire, tags};
use escale_service::{Cx, Operation};

pub(crate) struct TagResource;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("ResourceARN")]
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
        let name = name_of_arn(&input.resource_arn)?;
        update_tags(cx.tx, &name, |own| tags::merge(own, input.tags))
            .ok_or(Error::NoResource(input.resource_arn))
    }
}

//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListTagsForResource.html>

use crate::{
    Error,
    alarms::{name_of_arn, subject},
};
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

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.resource_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let alarm = subject(cx.tx, &name_of_arn(&input.resource_arn)?);
        let alarm = alarm.ok_or(Error::NoResource(input.resource_arn))?;
        Ok(Output { tags: alarm.tags().to_vec() })
    }
}

//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_TagResource.html>

use crate::{Error, alarms::name_of_arn};
use escale_base::{Tag, Wire, tags};
use escale_service::{Cx, Operation};
use escale_tables::cloudwatch::Alarm;

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
        let add = |alarm: &mut Alarm| tags::merge(&mut alarm.tags, input.tags);
        cx.tx.update(&name, add).ok_or(Error::NoResource(input.resource_arn))
    }
}

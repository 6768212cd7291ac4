//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_TagResource.html>

use crate::{Error, rules};
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

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.resource_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let tagged = rules::tagged(cx.tx, &input.resource_arn)?;
        tagged.change(cx, |all| tags::merge(all, input.tags));
        Ok(())
    }
}

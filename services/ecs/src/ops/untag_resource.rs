//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UntagResource.html>

use crate::Error;
use crate::tagged;
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct UntagResource;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    resource_arn: String,
    tag_keys: Vec<String>,
}

impl Operation for UntagResource {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        let _ = cx;
        vec![input.resource_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        tagged::change(cx, &input.resource_arn, |tags| tags.retain(|t| !input.tag_keys.contains(&t.key)))
    }
}

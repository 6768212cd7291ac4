//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TagResource.html>

use crate::tagged;
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct TagResource;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    resource_arn: String,
    tags: Vec<rules::TagShape>,
}

impl Operation for TagResource {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        let _ = cx;
        vec![input.resource_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let new = rules::tags_in(input.tags);
        tagged::change(cx, &input.resource_arn, |tags| escale_base::tags::merge(tags, new))
    }
}

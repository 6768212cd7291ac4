//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_UntagResource.html>

use super::tag_resource::change;
use crate::Error;
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct UntagResource;

#[derive(Wire)]
pub(crate) struct Input {
    resource: String,
    tag_keys: Keys,
}

#[derive(Wire)]
pub(crate) struct Keys {
    pub(crate) items: Vec<String>,
}

impl Operation for UntagResource {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.resource.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        change(cx, &input.resource, |tags| tags.retain(|t| !input.tag_keys.items.contains(&t.key)))
    }
}

//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_AddTagsToResource.html>

use crate::{Error, tags};
use escale_base::{Tag, Wire};
use escale_service::{Cx, Operation};

pub(crate) struct AddTagsToResource;

#[derive(Wire)]
pub(crate) struct Input {
    resource_name: String,
    tags: Vec<Tag>,
}

impl Operation for AddTagsToResource {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.resource_name.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        tags::with(cx.tx, &input.resource_name, |t| escale_base::tags::merge(t, input.tags))
    }
}

//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RemoveTagsFromResource.html>

use crate::{Error, tags};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct RemoveTagsFromResource;

#[derive(Wire)]
pub(crate) struct Input {
    resource_name: String,
    tag_keys: Vec<String>,
}

impl Operation for RemoveTagsFromResource {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.resource_name.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        tags::with(cx.tx, &input.resource_name, |t| t.retain(|t| !input.tag_keys.contains(&t.key)))
    }
}

//! <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RemoveTags.html>

use super::add_tags::change;
use crate::Error;
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct RemoveTags;

#[derive(Wire)]
pub(crate) struct Input {
    resource_arns: Vec<String>,
    tag_keys: Vec<String>,
}

impl Operation for RemoveTags {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        input.resource_arns.clone()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        for arn in &input.resource_arns {
            change(cx.tx, arn, |tags| tags.retain(|t| !input.tag_keys.contains(&t.key)))?;
        }
        Ok(())
    }
}

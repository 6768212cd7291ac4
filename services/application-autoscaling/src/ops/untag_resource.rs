//! <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_UntagResource.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct UntagResource;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("ResourceARN")]
    resource_arn: String,
    tag_keys: Vec<String>,
}

impl Operation for UntagResource {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.resource_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let mut target = rules::target_of_arn(cx.tx, &input.resource_arn)?;
        target.tags.retain(|tag| !input.tag_keys.contains(&tag.key));
        cx.tx.put(target);
        Ok(())
    }
}

//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_UntagResource.html>

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

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.resource_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let tagged = rules::tagged(cx.tx, &input.resource_arn)?;
        tagged.change(cx, |all| all.retain(|tag| !input.tag_keys.contains(&tag.key)));
        Ok(())
    }
}

//! <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TagResource.html>

use crate::{Error, rules};
use escale_base::{Wire, tags};
use escale_service::{Cx, Operation};
use std::collections::BTreeMap;

pub(crate) struct TagResource;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("ResourceARN")]
    resource_arn: String,
    tags: BTreeMap<String, String>,
}

impl Operation for TagResource {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.resource_arn.clone()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let mut target = rules::target_of_arn(cx.tx, &input.resource_arn)?;
        tags::merge(&mut target.tags, rules::tag_list(input.tags));
        rules::check_tags(&rules::tag_map(&target.tags))?;
        cx.tx.put(target);
        Ok(())
    }
}

//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagPolicy.html>

use crate::{Error, entity};
use escale_base::{Tag, Wire};
use escale_service::{Cx, Operation};
use escale_tables::iam::PolicyArn;

pub(crate) struct TagPolicy;

#[derive(Wire)]
pub(crate) struct Input {
    policy_arn: PolicyArn,
    tags: Vec<Tag>,
}

impl Operation for TagPolicy {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.policy_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let mut policy = (*super::policy(cx, &input.policy_arn)?).clone();
        entity::add_tags(&mut policy.tags, input.tags)?;
        cx.tx.put(policy);
        Ok(())
    }
}

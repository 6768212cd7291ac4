//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UntagPolicy.html>

use crate::Error;
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::PolicyArn;

pub(crate) struct UntagPolicy;

#[derive(Wire)]
pub(crate) struct Input {
    policy_arn: PolicyArn,
    tag_keys: Vec<String>,
}

impl Operation for UntagPolicy {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.policy_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let mut policy = (*super::policy(cx, &input.policy_arn)?).clone();
        policy.tags.retain(|t| !input.tag_keys.contains(&t.key));
        cx.tx.put(policy);
        Ok(())
    }
}

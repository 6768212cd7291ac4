//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html>

use crate::{Error, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{Policy, PolicyArn};

pub(crate) struct DeletePolicy;

#[derive(Wire)]
pub(crate) struct Input {
    policy_arn: PolicyArn,
}

impl Operation for DeletePolicy {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.policy_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let policy = super::policy(cx, &input.policy_arn)?;
        if shapes::policy(&policy, cx.tx).attachment_count > 0 {
            return Err(Error::DeleteRefused("Cannot delete a policy attached to entities.".to_owned()));
        }
        if policy.versions.len() > 1 {
            let message = "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.";
            return Err(Error::DeleteRefused(message.to_owned()));
        }
        cx.tx.delete::<Policy>(&input.policy_arn);
        Ok(())
    }
}

//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicyVersion.html>

use crate::Error;
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{PolicyArn, PolicyVersionId};

pub(crate) struct DeletePolicyVersion;

#[derive(Wire)]
pub(crate) struct Input {
    policy_arn: PolicyArn,
    version_id: PolicyVersionId,
}

impl Operation for DeletePolicyVersion {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.policy_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let mut policy = (*super::policy(cx, &input.policy_arn)?).clone();
        super::version(&policy, &input.version_id)?;
        if policy.default_version == input.version_id {
            return Err(Error::DeleteRefused("Cannot delete the default version of a policy.".to_owned()));
        }
        policy.versions.retain(|v| v.id != input.version_id);
        policy.updated = cx.now;
        cx.tx.put(policy);
        Ok(())
    }
}

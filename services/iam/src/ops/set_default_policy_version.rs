//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SetDefaultPolicyVersion.html>

use crate::Error;
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{Policy, PolicyArn, PolicyVersionId};

pub(crate) struct SetDefaultPolicyVersion;

#[derive(Wire)]
pub(crate) struct Input {
    policy_arn: PolicyArn,
    version_id: PolicyVersionId,
}

impl Operation for SetDefaultPolicyVersion {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.policy_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let policy = super::policy(cx, &input.policy_arn)?;
        super::version(&policy, &input.version_id)?;
        cx.tx.put(Policy { default_version: input.version_id, updated: cx.now, ..(*policy).clone() });
        Ok(())
    }
}

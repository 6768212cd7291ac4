//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicyVersion.html>

use crate::{Error, ops::create_policy, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::iam::{PolicyArn, PolicyVersion, PolicyVersionId};

pub(crate) struct CreatePolicyVersion;

#[derive(Wire)]
pub(crate) struct Input {
    policy_arn: PolicyArn,
    policy_document: String,
    set_as_default: Option<bool>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) policy_version: shapes::VersionShape,
}

/// AWS's quota on the versions of a policy.
pub(crate) const VERSIONS_MAX: usize = 5;

impl Operation for CreatePolicyVersion {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.policy_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut policy = (*super::policy(cx, &input.policy_arn)?).clone();
        create_policy::check(&input.policy_document)?;
        if policy.versions.len() >= VERSIONS_MAX {
            return Err(Error::Limit(format!(
                "A managed policy can have up to {VERSIONS_MAX} versions. Before you create a new version, you must delete an existing version."
            )));
        }
        // A counter rather than the number of versions: AWS never uses an id again after a version was deleted.
        policy.last_version += 1;
        policy.updated = cx.now;
        let id = PolicyVersionId(format!("v{}", policy.last_version));
        if input.set_as_default == Some(true) {
            policy.default_version = id.clone();
        }
        let version = PolicyVersion { id, document: input.policy_document, created: cx.now };
        let shape = shapes::version(&version, &policy);
        policy.versions.push(version);
        cx.tx.put(policy);
        Ok(Output { policy_version: shape })
    }
}

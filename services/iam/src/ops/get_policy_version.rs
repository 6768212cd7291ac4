//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicyVersion.html>

use crate::{Error, aws_managed, shapes};
use escale_base::{AwsError, Wire, path};
use escale_service::{Cx, Operation};
use escale_tables::iam::{PolicyArn, PolicyVersionId};

pub(crate) struct GetPolicyVersion;

#[derive(Wire)]
pub(crate) struct Input {
    policy_arn: PolicyArn,
    version_id: PolicyVersionId,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) policy_version: shapes::VersionShape,
}

impl Operation for GetPolicyVersion {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![input.policy_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        if let Some(managed) = aws_managed::find(&input.policy_arn) {
            // AWS may have it.
            if input.version_id != managed.default_version_id {
                return Err(AwsError::not_supported(format_args!("The version {}", input.version_id))
                    .hint(format_args!("Use the default version {}.", managed.default_version_id))
                    .into());
            }
            let document = Some(path::percent_encode(managed.document()));
            return Ok(Output {
                policy_version: shapes::VersionShape { document, ..shapes::aws_version(managed) },
            });
        }
        let policy = super::policy(cx, &input.policy_arn)?;
        let version = super::version(&policy, &input.version_id)?;
        let document = Some(path::percent_encode(&version.document));
        Ok(Output { policy_version: shapes::VersionShape { document, ..shapes::version(version, &policy) } })
    }
}

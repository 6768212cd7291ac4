//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicyVersion.html>

use crate::{Error, aws_managed, shapes};
use escale_base::{Wire, path};
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
        if let Some(managed) =
            aws_managed::find(&input.policy_arn).filter(|_| input.version_id == shapes::AWS_VERSION)
        {
            let policy_version = shapes::VersionShape {
                document: Some(path::percent_encode(managed.document)),
                version_id: input.version_id,
                is_default_version: true,
                create_date: None,
            };
            return Ok(Output { policy_version });
        }
        let policy = super::policy(cx, &input.policy_arn)?;
        let version = super::version(&policy, &input.version_id)?;
        let document = Some(path::percent_encode(&version.document));
        Ok(Output { policy_version: shapes::VersionShape { document, ..shapes::version(version, &policy) } })
    }
}

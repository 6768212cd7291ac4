//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html>

use crate::{Error, rules};
use escale_base::{Secret, Wire};
use escale_service::{Cx, Operation};
use escale_tables::secretsmanager::{SecretName, SecretVersionId, StagingLabel};

pub(crate) struct PutSecretValue;

#[derive(Wire)]
pub(crate) struct Input {
    secret_id: String,
    client_request_token: Option<SecretVersionId>,
    secret_binary: Option<Secret<String>>,
    secret_string: Option<Secret<String>>,
    version_stages: Vec<StagingLabel>,
}

#[derive(Wire)]
pub(crate) struct Output {
    #[wire("ARN")]
    arn: String,
    name: SecretName,
    version_id: SecretVersionId,
    version_stages: Vec<StagingLabel>,
}

impl Operation for PutSecretValue {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        rules::arn_for_policy(cx, &input.secret_id)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut secret = (*rules::find_live(cx, &input.secret_id)?).clone();
        rules::may_change(cx, &secret)?;
        let value = rules::value(input.secret_string, input.secret_binary)?.ok_or_else(|| {
            Error::Parameter("You must provide either SecretString or SecretBinary.".into())
        })?;
        let stages = match input.version_stages {
            none if none.is_empty() => vec![rules::CURRENT.into()],
            some => some,
        };
        let id = rules::add_version(&mut secret, input.client_request_token, value, &stages, cx.now)?;
        let held = secret.versions.iter().find(|v| v.id == id).map(|v| v.stages.clone()).unwrap_or_default();
        let (arn, name) = (secret.arn.to_string(), secret.name.clone());
        cx.tx.put(secret);
        Ok(Output { arn, name, version_id: id, version_stages: held })
    }
}

//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecret.html>

use crate::{Error, rules, shapes::NamedVersion};
use escale_base::{Secret, Wire};
use escale_service::{Cx, Operation};
use escale_tables::secretsmanager::SecretVersionId;

pub(crate) struct UpdateSecret;

#[derive(Wire)]
pub(crate) struct Input {
    secret_id: String,
    client_request_token: Option<SecretVersionId>,
    description: Option<String>,
    kms_key_id: Option<String>,
    secret_binary: Option<Secret<String>>,
    secret_string: Option<Secret<String>>,
}

impl Operation for UpdateSecret {
    type Input = Input;
    type Output = NamedVersion;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        rules::arn_for_policy(cx, &input.secret_id)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<NamedVersion, Error> {
        let mut secret = (*rules::find_live(cx, &input.secret_id)?).clone();
        rules::may_change(cx, &secret)?;
        if let Some(description) = input.description {
            secret.description = Some(description).filter(|d| !d.is_empty());
        }
        if let Some(key) = input.kms_key_id {
            // An empty text means AWS's own key.
            secret.kms_key_id = Some(key).filter(|k| !k.is_empty());
        }
        secret.changed = cx.now;
        let version = match rules::value(input.secret_string, input.secret_binary)? {
            None => None,
            Some(value) => {
                let stages = [rules::CURRENT.into()];
                Some(rules::add_version(&mut secret, input.client_request_token, value, &stages, cx.now)?)
            }
        };
        let answer = NamedVersion::of(&secret, version);
        cx.tx.put(secret);
        Ok(answer)
    }
}

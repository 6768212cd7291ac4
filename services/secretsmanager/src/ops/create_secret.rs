//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html>

use crate::{Error, rules, shapes::NamedVersion};
use escale_base::{AwsError, Secret, Tag, Wire, wire::Value};
use escale_service::{Cx, Operation};
use escale_tables::secretsmanager::{SecretName, SecretVersionId, StoredSecret};
use rand::{Rng, distr::Alphanumeric};

pub(crate) struct CreateSecret;

#[derive(Wire)]
pub(crate) struct Input {
    name: SecretName,
    client_request_token: Option<SecretVersionId>,
    description: Option<String>,
    kms_key_id: Option<String>,
    secret_binary: Option<Secret<String>>,
    secret_string: Option<Secret<String>>,
    tags: Vec<Tag>,
    add_replica_regions: Vec<Value>,
    force_overwrite_replica_secret: Option<bool>,
}

impl Operation for CreateSecret {
    type Input = Input;
    type Output = NamedVersion;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![cx.arn("secretsmanager", format!("secret:{}", input.name)).to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<NamedVersion, Error> {
        if !input.add_replica_regions.is_empty() {
            return Err(AwsError::not_supported("The parameter AddReplicaRegions").into());
        }
        // AWS reserves `!` in names for secrets that a service manages.
        let owning_service = rules::owner_of(cx).filter(|_| input.name.contains('!'));
        rules::check_name(&input.name, owning_service.is_some())?;
        let value = rules::value(input.secret_string, input.secret_binary)?;
        if let Ok(existing) = rules::find(cx.tx, &input.name, cx.now) {
            return repeated(&existing, input.client_request_token, value.as_ref());
        }
        // The random end of the ARN distinguishes a secret from a deleted one of the same name.
        let tail: String =
            escale_base::ids::rng().sample_iter(Alphanumeric).take(6).map(char::from).collect();
        let mut secret = StoredSecret {
            arn: cx.arn("secretsmanager", format!("secret:{}-{tail}", input.name)),
            name: input.name,
            description: input.description.filter(|d| !d.is_empty()),
            kms_key_id: input.kms_key_id,
            owning_service,
            versions: vec![],
            deletion: None,
            tags: input.tags,
            created: cx.now,
            changed: cx.now,
        };
        let version = match value {
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

/// The answer to a request for an existing name: the same request gets the same answer, another one is refused.
fn repeated(
    existing: &StoredSecret,
    token: Option<SecretVersionId>,
    value: Option<&escale_tables::secretsmanager::VersionValue>,
) -> Result<NamedVersion, Error> {
    if existing.deletion.is_some() {
        let what =
            "You can't create this secret because a secret with this name is already scheduled for deletion.";
        return Err(Error::Request(what.into()));
    }
    let same = existing.versions.iter().find(|v| token.as_ref() == Some(&v.id) && Some(&v.value) == value);
    match same {
        Some(version) => Ok(NamedVersion::of(existing, Some(version.id.clone()))),
        None => Err(Error::Exists(existing.name.clone())),
    }
}

#[cfg(test)]
mod tests {
    use crate::SecretsManager;
    use escale_harness::Harness;
    use serde_json::json;

    #[test]
    fn finds_secret_by_name_and_by_full_or_partial_arn() {
        let cloud = Harness::of(SecretsManager);
        let made = cloud.ok("CreateSecret", json!({"Name": "a/b-c", "SecretString": "x"}));
        let arn = made["ARN"].as_str().unwrap();
        for id in ["a/b-c", arn, &arn[..arn.len() - 7]] {
            let got = cloud.ok("GetSecretValue", json!({"SecretId": id}));
            assert_eq!(got["SecretString"], "x", "{id}");
        }
        let other = format!("{}zzzzzz", &arn[..arn.len() - 6]);
        let missing = cloud.error("GetSecretValue", json!({"SecretId": other}));
        assert_eq!(missing.code, "ResourceNotFoundException");
    }

    #[test]
    fn repeated_token_gets_the_same_answer() {
        let cloud = Harness::of(SecretsManager);
        let request = json!({"Name": "s", "SecretString": "x", "ClientRequestToken": "t".repeat(32)});
        let first = cloud.ok("CreateSecret", request.clone());
        assert_eq!(cloud.ok("CreateSecret", request), first);
        let other = cloud.call("CreateSecret", json!({"Name": "s", "SecretString": "y"}));
        assert_eq!(other.unwrap_err().code, "ResourceExistsException");
    }
}

//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>

use crate::{Error, rules};
use escale_base::{Secret, Timestamp, Wire};
use escale_service::{Cx, Operation};
use escale_tables::secretsmanager::{
    SecretName, SecretVersionId, StagingLabel, StoredSecret, Version, VersionValue,
};

pub(crate) struct GetSecretValue;

#[derive(Wire)]
pub(crate) struct Input {
    secret_id: String,
    version_id: Option<SecretVersionId>,
    version_stage: Option<StagingLabel>,
}

#[derive(Wire)]
pub(crate) struct Output {
    #[wire("ARN")]
    pub(crate) arn: String,
    pub(crate) name: SecretName,
    pub(crate) version_id: SecretVersionId,
    pub(crate) secret_binary: Option<Secret<String>>,
    pub(crate) secret_string: Option<Secret<String>>,
    pub(crate) version_stages: Vec<StagingLabel>,
    pub(crate) created_date: Timestamp,
}

impl Operation for GetSecretValue {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        rules::arn_for_policy(cx, &input.secret_id)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let secret = rules::find_live(cx, &input.secret_id)?;
        let version = select(&secret, input.version_id.as_ref(), input.version_stage.as_ref())?;
        let (text, binary) = match &version.value {
            VersionValue::Text(text) => (Some(text.clone()), None),
            VersionValue::Binary(binary) => (None, Some(binary.clone())),
        };
        Ok(Output {
            arn: secret.arn.to_string(),
            name: secret.name.clone(),
            version_id: version.id.clone(),
            secret_binary: binary,
            secret_string: text,
            version_stages: version.stages.clone(),
            created_date: version.created,
        })
    }
}

fn select<'a>(
    secret: &'a StoredSecret,
    id: Option<&SecretVersionId>,
    stage: Option<&StagingLabel>,
) -> Result<&'a Version, Error> {
    let found = match (id, stage) {
        (None, stage) => {
            let current = rules::CURRENT.into();
            let stage = stage.unwrap_or(&current);
            rules::holder(secret, stage).ok_or_else(|| format!("staging label: {stage}"))
        }
        (Some(id), stage) => secret
            .versions
            .iter()
            .find(|v| v.id == *id)
            .filter(|v| stage.is_none_or(|s| v.stages.contains(s)))
            .ok_or_else(|| format!("VersionId: {id}")),
    };
    found.map_err(Error::NoVersion)
}

#[cfg(test)]
mod tests {
    use crate::SecretsManager;
    use escale_harness::Harness;
    use serde_json::json;

    #[test]
    fn staging_labels_follow_the_versions() {
        let cloud = Harness::of(SecretsManager);
        cloud.ok("CreateSecret", json!({"Name": "s", "SecretString": "1"}));
        let get = |stage: &str| {
            let got = cloud.call("GetSecretValue", json!({"SecretId": "s", "VersionStage": stage}));
            got.map(|v| v["SecretString"].clone()).map_err(|e| e.code)
        };
        assert_eq!(get("AWSPREVIOUS"), Err("ResourceNotFoundException".into()));
        cloud.ok("PutSecretValue", json!({"SecretId": "s", "SecretString": "2"}));
        assert_eq!((get("AWSCURRENT"), get("AWSPREVIOUS")), (Ok("2".into()), Ok("1".into())));
        let pending = json!({"SecretId": "s", "SecretString": "3", "VersionStages": ["AWSPENDING"]});
        let made = cloud.ok("PutSecretValue", pending);
        assert_eq!((get("AWSCURRENT"), get("AWSPENDING")), (Ok("2".into()), Ok("3".into())));
        let current = cloud.ok("GetSecretValue", json!({"SecretId": "s"}))["VersionId"].clone();
        let promote = json!({"SecretId": "s", "VersionStage": "AWSCURRENT",
            "MoveToVersionId": made["VersionId"], "RemoveFromVersionId": current});
        cloud.ok("UpdateSecretVersionStage", promote);
        assert_eq!((get("AWSCURRENT"), get("AWSPREVIOUS")), (Ok("3".into()), Ok("2".into())));
    }
}

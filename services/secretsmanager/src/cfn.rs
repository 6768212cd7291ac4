//! CloudFormation: `AWS::SecretsManager::Secret`. `Ref` is the secret's ARN.

mod attachment;

use crate::{
    Error,
    ops::{
        create_secret::CreateSecret, delete_secret::DeleteSecret, describe_secret::DescribeSecret,
        tag_resource::TagResource, untag_resource::UntagResource, update_secret::UpdateSecret,
    },
    password,
};
use escale_base::{AwsError, Secret, Wire, already_gone, found, wire::Map};
use escale_service::{Created, Cx, InputDraft, Props, ResourceType, Update, own_tags, properties_of};
use serde_json::Value;

const SECRET: &str = "AWS::SecretsManager::Secret";

pub(crate) fn types() -> Vec<ResourceType> {
    let secret = ResourceType::new(
        SECRET,
        &["Name", "Description", "SecretString", "GenerateSecretString", "KmsKeyId", "Tags"],
        create,
        delete,
    );
    let secret = secret.adopt(|_, arn, _| Ok(described(arn)));
    vec![secret.update(update).read(read), attachment::TYPE]
}

fn create(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let input = props.input::<CreateSecret>(&["Description", "KmsKeyId"]);
    let input = input.with("Name", &props.name_or_generated("Name", 64)).with("Tags", &props.tags()?);
    let arn = input.with("SecretString", &value(props)?).call(cx)?.arn;
    Ok(described(&arn))
}

fn described(arn: &str) -> Created {
    Created::new(arn).with("Id", arn)
}

/// The template's text or a generated one.
fn value(props: &Props<'_>) -> Result<Option<Secret<String>>, AwsError> {
    let text = props.read::<Option<Secret<String>>>("SecretString")?;
    match props.get("GenerateSecretString") {
        Some(_) if text.is_some() => {
            let what = format!("{}: set SecretString or GenerateSecretString, not both", props.logical_id);
            Err(Error::Parameter(what).into())
        }
        Some(form) => Ok(Some(Secret::new(generate(form)?))),
        None => Ok(text),
    }
}

/// As on AWS, a change of GenerateSecretString generates a new value, which lacks the connection data that an attachment has
/// added. A template without a value leaves the existing one.
/// Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secret.html>,
/// <https://github.com/aws/aws-cdk/issues/7518>
fn update(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let id = &update.created.physical_id;
    let new_value = update.any_changed(&["SecretString", "GenerateSecretString"]);
    if new_value || update.any_changed(&["Description", "KmsKeyId"]) {
        let mut input = InputDraft::<UpdateSecret>::new().with("SecretId", id);
        // An empty text is AWS's default for both.
        for name in ["Description", "KmsKeyId"].into_iter().filter(|name| update.changed(name)) {
            input = input.with(name, &update.after.str(name).unwrap_or_default().to_owned());
        }
        if new_value {
            input = input.with("SecretString", &value(update.after)?);
        }
        input.call(cx)?;
    }
    let (set, removed) = update.tags()?;
    if !set.is_empty() {
        InputDraft::<TagResource>::new().with("SecretId", id).with("Tags", &set).call(cx)?;
    }
    if !removed.is_empty() {
        InputDraft::<UntagResource>::new().with("SecretId", id).with("TagKeys", &removed).call(cx)?;
    }
    Ok(update.created.clone())
}

/// SecretString and GenerateSecretString are write-only.
fn read(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let input = InputDraft::<DescribeSecret>::new().with("SecretId", &created.physical_id);
    let described = found(input.call(cx))?.filter(|secret| secret.deleted_date.is_none());
    Ok(described.map(|secret| {
        let mut properties = properties_of(SECRET, &secret, &[]);
        properties.insert("Tags".into(), own_tags(&secret.tags));
        properties
    }))
}

#[derive(Wire)]
struct Template {
    secret_string_template: Option<String>,
    generate_string_key: Option<String>,
}

/// Generates a password, alone or as one member of a JSON template. This reads all members that the schema has.
fn generate(form: &Value) -> Result<String, AwsError> {
    let bad = |what: String| AwsError::from(Error::Parameter(format!("GenerateSecretString: {what}")));
    let template = Template::read(form).map_err(|e| bad(e.to_string()))?;
    let rules = password::Rules::read(form).map_err(|e| bad(e.to_string()))?;
    let password = password::random(&rules)?;
    match (template.secret_string_template, template.generate_string_key) {
        (None, None) => Ok(password),
        (Some(template), Some(key)) => {
            let mut whole: Value = serde_json::from_str(&template)
                .ok()
                .filter(Value::is_object)
                .ok_or_else(|| bad("SecretStringTemplate is not a JSON object".into()))?;
            whole[key] = password.into();
            Ok(whole.to_string())
        }
        _ => Err(bad("set SecretStringTemplate and GenerateStringKey together or not at all".into())),
    }
}

fn delete(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    // As on AWS, a stack's secret has no recovery window, so that the next stack can use its name.
    let input = InputDraft::<DeleteSecret>::new().with("SecretId", &created.physical_id);
    already_gone(input.with("ForceDeleteWithoutRecovery", &true).call(cx))
}

#[cfg(test)]
mod tests;

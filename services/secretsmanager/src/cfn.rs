//! CloudFormation: `AWS::SecretsManager::Secret` and its attachment to a database. `Ref` is the secret's ARN.

use crate::{
    Error,
    ops::{
        create_secret::CreateSecret, delete_secret::DeleteSecret, get_secret_value::GetSecretValue,
        put_secret_value::PutSecretValue,
    },
    password,
};
use escale_base::{AwsError, Secret, Wire, already_gone};
use escale_requests::rds::{DBInstance, DescribeDBInstances};
use escale_service::{Created, Cx, InputDraft, Props, ResourceType};
use serde_json::Value;

const SECRET: &str = "AWS::SecretsManager::Secret";

pub(crate) fn types() -> Vec<ResourceType> {
    vec![
        ResourceType::new(
            SECRET,
            &["Name", "Description", "SecretString", "GenerateSecretString", "KmsKeyId", "Tags"],
            create,
            delete,
        ),
        ResourceType::new(
            "AWS::SecretsManager::SecretTargetAttachment",
            &["SecretId", "TargetId", "TargetType"],
            attach,
            // The secret keeps the connection data: usually the same stack deletes the secret too.
            |_, _| Ok(()),
        ),
    ]
}

fn create(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let generated = match props.get("GenerateSecretString") {
        Some(_) if props.get("SecretString").is_some() => {
            let what = format!("{}: set SecretString or GenerateSecretString, not both", props.logical_id);
            return Err(Error::Parameter(what).into());
        }
        Some(form) => Some(generate(form)?),
        None => None,
    };
    let input = props.input::<CreateSecret>(&["Description", "KmsKeyId", "SecretString"]);
    let input = input.with("Name", &props.name_or_generated("Name", 64)).with("Tags", &props.tags()?);
    let arn = input.with("SecretString", &generated).call(cx)?.arn;
    Ok(Created::new(arn.as_str()).with("Id", arn))
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
                .ok_or_else(|| bad("SecretStringTemplate is not a JSON structure".into()))?;
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

/// Adds the connection data of a database to the secret that holds its password, under the names that AWS's libraries read.
/// This happens only once, so a database without an address is refused.
fn attach(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let kind = props.text("TargetType")?;
    if kind != "AWS::RDS::DBInstance" {
        return Err(AwsError::not_supported(format_args!("A secret's attachment to {kind}")));
    }
    let found = cx.call(DescribeDBInstances { id: props.text("TargetId")?.to_owned() })?;
    let database = found.instances.first().ok_or_else(AwsError::internal)?;
    let stored = props.input::<GetSecretValue>(&["SecretId"]).call(cx)?;
    let text = stored.secret_string.as_ref().map_or("", |text| text.reveal().as_str());
    let value = with_connection(text, database)?;
    props.input::<PutSecretValue>(&["SecretId"]).with("SecretString", &Secret::new(value)).call(cx)?;
    Ok(Created::new(stored.arn.as_str()).with("Id", stored.arn))
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html>
fn with_connection(secret: &str, database: &DBInstance) -> Result<String, AwsError> {
    let read = serde_json::from_str(secret).ok().filter(Value::is_object);
    let mut whole: Value = read.ok_or_else(|| {
        AwsError::from(Error::Parameter(
            "A secret that is attached to a database must be a JSON structure".into(),
        ))
    })?;
    let endpoint = database.endpoint.as_ref().and_then(|e| Some((e.address.as_deref()?, e.port)));
    let Some((host, port)) = endpoint else {
        let what = format!(
            "DB instance {} has no endpoint yet. Refer to it with Ref or DependsOn, so that the stack waits for its creation",
            database.id
        );
        return Err(Error::Request(what).into());
    };
    whole["engine"] = database.engine.as_str().into();
    whole["host"] = host.into();
    whole["port"] = port.into();
    if let Some(name) = &database.db_name {
        whole["dbname"] = name.as_str().into();
    }
    whole["dbInstanceIdentifier"] = database.id.as_str().into();
    Ok(whole.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_requests::rds::Endpoint;
    use serde_json::json;

    #[test]
    fn generates_a_password_in_a_template() {
        let form = json!({
            "SecretStringTemplate": "{\"username\":\"app\"}", "GenerateStringKey": "password",
            "PasswordLength": 16, "ExcludePunctuation": true,
        });
        let made: Value = serde_json::from_str(&generate(&form).unwrap()).unwrap();
        assert_eq!(made["username"], "app");
        assert_eq!(made["password"].as_str().unwrap().len(), 16);
        assert!(generate(&json!({"GenerateStringKey": "password"})).is_err());
    }

    #[test]
    fn attachment_adds_the_connection_data() {
        let mut database = DBInstance {
            id: "db".into(),
            engine: "postgres".into(),
            db_name: None,
            endpoint: Some(Endpoint { address: Some("db.x".into()), port: 5432 }),
        };
        let made: Value = serde_json::from_str(
            &with_connection(r#"{"username":"app","password":"p"}"#, &database).unwrap(),
        )
        .unwrap();
        let expected = json!({
            "username": "app", "password": "p", "engine": "postgres", "host": "db.x", "port": 5432,
            "dbInstanceIdentifier": "db",
        });
        assert_eq!(made, expected);
        assert!(with_connection("plain", &database).is_err());
        database.endpoint = None;
        let error = with_connection("{}", &database).unwrap_err();
        assert!(error.message.starts_with("DB instance db has no endpoint yet"), "{error}");
    }
}

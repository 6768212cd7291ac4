//! CloudFormation: `AWS::SecretsManager::Secret` and its attachment to a database. `Ref` is the secret's ARN.

use crate::{Error, password};
use escale_base::{AwsError, Wire, already_gone, wire};
use escale_service::{Created, Cx, Props, Readiness, ResourceType, answer};
use serde_json::{Value, json};

const SECRET: &str = "AWS::SecretsManager::Secret";

pub(crate) fn types() -> Vec<ResourceType> {
    vec![
        ResourceType {
            name: SECRET,
            properties: &["Name", "Description", "SecretString", "GenerateSecretString", "KmsKeyId", "Tags"],
            create,
            ready: |_, _| Readiness::ready(),
            delete,
            gone: |_, _| Readiness::ready(),
        },
        ResourceType {
            name: "AWS::SecretsManager::SecretTargetAttachment",
            properties: &["SecretId", "TargetId", "TargetType"],
            create: attach,
            ready: |_, _| Readiness::ready(),
            // What was written stays in the secret's value: a stack that has the one has the other.
            delete: |_, _| Ok(()),
            gone: |_, _| Readiness::ready(),
        },
    ]
}

fn create(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let mut input = json!({
        "Name": props.name_or_generated("Name", 64),
        "Tags": props.tags(),
    });
    for name in ["Description", "KmsKeyId"] {
        if let Some(value) = props.get(name) {
            input[name] = value.clone();
        }
    }
    match (props.get("SecretString"), props.get("GenerateSecretString")) {
        (Some(_), Some(_)) => {
            let what = format!("{}: give SecretString or GenerateSecretString, not both", props.logical_id);
            return Err(Error::Parameter(what).into());
        }
        (Some(text), None) => input["SecretString"] = text.clone(),
        (None, Some(wanted)) => input["SecretString"] = generate(wanted)?.into(),
        (None, None) => {}
    }
    let made = cx.call_untyped("secretsmanager", "CreateSecret", input)?;
    let arn = answer::text(&made, "/ARN")?;
    Ok(Created::new(arn).with("Id", arn))
}

#[derive(Wire)]
struct Template {
    secret_string_template: Option<String>,
    generate_string_key: Option<String>,
}

/// A random password, alone or as one member of a JSON template.
fn generate(wanted: &Value) -> Result<String, AwsError> {
    let bad = |what: String| AwsError::from(Error::Parameter(format!("GenerateSecretString: {what}")));
    let form = Template::read(wanted).map_err(|e| bad(e.to_string()))?;
    let mut rest = typed(wanted);
    if let Some(members) = rest.as_object_mut() {
        members.remove("SecretStringTemplate");
        members.remove("GenerateStringKey");
    }
    if let Some(odd) = wire::unread::<password::Wanted>(&rest).first() {
        return Err(bad(format!("{odd} is not one of its members")));
    }
    let wanted = password::Wanted::read(&rest).map_err(|e| bad(e.to_string()))?;
    let password = password::random(&wanted)?;
    match (form.secret_string_template, form.generate_string_key) {
        (None, None) => Ok(password),
        (Some(template), Some(key)) => {
            let mut whole: Value = serde_json::from_str(&template)
                .ok()
                .filter(Value::is_object)
                .ok_or_else(|| bad("SecretStringTemplate is not a JSON structure".into()))?;
            whole[key] = password.into();
            Ok(whole.to_string())
        }
        _ => Err(bad("SecretStringTemplate and GenerateStringKey are given together or not at all".into())),
    }
}

/// Templates may write numbers and booleans as text.
fn typed(value: &Value) -> Value {
    let mut typed = value.clone();
    for (name, member) in typed.as_object_mut().into_iter().flatten() {
        let Some(text) = member.as_str() else { continue };
        *member = match (name.as_str(), text) {
            ("PasswordLength", digits) => digits.parse::<i64>().map_or_else(|_| text.into(), Into::into),
            ("ExcludeCharacters" | "SecretStringTemplate" | "GenerateStringKey", _) => continue,
            (_, "true") => true.into(),
            (_, "false") => false.into(),
            _ => continue,
        };
    }
    typed
}

fn delete(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    // As on AWS, a stack's secret goes at once: its name is free for the next stack.
    let input = json!({"SecretId": created.physical_id, "ForceDeleteWithoutRecovery": true});
    already_gone(cx.call_untyped("secretsmanager", "DeleteSecret", input))
}

/// Writes where the database is into the secret that holds its password, under the names that AWS's libraries read. What is
/// written is not written again later, so a database that has no address yet is refused.
fn attach(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let word = |name: &str| props.text(name).map(str::to_owned);
    let (secret, target, kind) = (word("SecretId")?, word("TargetId")?, word("TargetType")?);
    if kind != "AWS::RDS::DBInstance" {
        return Err(AwsError::not_supported(format_args!("A secret's attachment to {kind}")));
    }
    let found = cx.call_untyped("rds", "DescribeDBInstances", json!({ "DBInstanceIdentifier": target }))?;
    let stored = cx.call_untyped("secretsmanager", "GetSecretValue", json!({ "SecretId": secret }))?;
    let value = with_connection(answer::text(&stored, "/SecretString")?, &found["DBInstances"][0])?;
    cx.call_untyped(
        "secretsmanager",
        "PutSecretValue",
        json!({ "SecretId": secret, "SecretString": value }),
    )?;
    let arn = answer::text(&stored, "/ARN")?;
    Ok(Created::new(arn).with("Id", arn))
}

/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html>
fn with_connection(secret: &str, database: &Value) -> Result<String, AwsError> {
    let read = serde_json::from_str(secret).ok().filter(Value::is_object);
    let mut whole: Value = read.ok_or_else(|| {
        AwsError::from(Error::Parameter(
            "A secret that is attached to a database holds a JSON structure".into(),
        ))
    })?;
    if database["Endpoint"]["Address"].is_null() {
        let id = database["DBInstanceIdentifier"].as_str().unwrap_or_default();
        let what = format!(
            "DB instance {id} has no endpoint yet: name it with Ref or DependsOn, so that its creation is waited for"
        );
        return Err(Error::Request(what).into());
    }
    for (name, value) in [
        ("engine", &database["Engine"]),
        ("host", &database["Endpoint"]["Address"]),
        ("port", &database["Endpoint"]["Port"]),
        ("dbname", &database["DBName"]),
        ("dbInstanceIdentifier", &database["DBInstanceIdentifier"]),
    ] {
        if !value.is_null() {
            whole[name] = value.clone();
        }
    }
    Ok(whole.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_template() {
        let wanted = json!({
            "SecretStringTemplate": "{\"username\":\"app\"}", "GenerateStringKey": "password",
            "PasswordLength": "16", "ExcludePunctuation": "true",
        });
        let made: Value = serde_json::from_str(&generate(&wanted).unwrap()).unwrap();
        assert_eq!(made["username"], "app");
        assert_eq!(made["password"].as_str().unwrap().len(), 16);
        let error = generate(&json!({"PasswordLenght": 3})).unwrap_err();
        assert!(error.message.contains("PasswordLenght"), "{error}");
    }

    #[test]
    fn a_secret_learns_where_its_database_is() {
        let database = json!({
            "Engine": "postgres", "DBInstanceIdentifier": "db", "Endpoint": {"Address": "db.x", "Port": 5432},
        });
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
        let in_the_making = json!({"Engine": "postgres", "DBInstanceIdentifier": "db"});
        let error = with_connection("{}", &in_the_making).unwrap_err();
        assert!(error.message.starts_with("DB instance db has no endpoint yet"), "{error}");
    }
}

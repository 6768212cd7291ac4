//! CloudFormation: `AWS::SecretsManager::SecretTargetAttachment`, the connection data in a database's secret. `Ref` is the
//! secret's ARN.

use crate::{
    Error,
    ops::{get_secret_value::GetSecretValue, put_secret_value::PutSecretValue},
};
use escale_base::{AwsError, Secret, found, wire::Map};
use escale_requests::rds::{DBInstance, DescribeDBInstances};
use escale_service::{Created, Cx, InputDraft, Props, ResourceType};
use serde_json::{Value, json};

const INSTANCE: &str = "AWS::RDS::DBInstance";
/// The member of the secret with the id of its database.
const TARGET: &str = "dbInstanceIdentifier";

pub(super) const TYPE: ResourceType = ResourceType::new(
    "AWS::SecretsManager::SecretTargetAttachment",
    &["SecretId", "TargetId", "TargetType"],
    attach,
    // The secret keeps the connection data: usually the same stack deletes the secret too.
    |_, _| Ok(()),
)
// The data of the new database replaces that of the old one.
.update(|cx, update| attach(cx, update.after))
.read(read);

/// Adds the connection data of a database to the secret that holds its password, under the names that AWS's libraries read.
/// Nothing adds an address later, so a database without one is refused.
fn attach(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let kind = props.text("TargetType")?;
    if kind != INSTANCE {
        return Err(AwsError::not_supported(format_args!("A secret's attachment to {kind}"))
            .hint(format_args!("Use {INSTANCE}.")));
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
            "A secret that is attached to a database must be a JSON object".into(),
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
    match (&database.db_name, whole.as_object_mut()) {
        (Some(name), _) => whole["dbname"] = name.as_str().into(),
        (None, Some(members)) => drop(members.remove("dbname")),
        (None, None) => {}
    }
    whole[TARGET] = database.id.as_str().into();
    Ok(whole.to_string())
}

/// The attachment exists while the secret names a database.
fn read(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let input = InputDraft::<GetSecretValue>::new().with("SecretId", &created.physical_id);
    let Some(stored) = found(input.call(cx))? else { return Ok(None) };
    let text = stored.secret_string.as_ref().map_or("", |text| text.reveal().as_str());
    let whole: Value = serde_json::from_str(text).unwrap_or_default();
    let Some(target) = whole.get(TARGET) else { return Ok(None) };
    let properties = json!({"SecretId": stored.arn, "TargetId": target, "TargetType": INSTANCE});
    Ok(properties.as_object().cloned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_requests::rds::Endpoint;

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

//! Tests of the CloudFormation types.

use super::*;
use crate::SecretsManager;
use escale_harness::{Harness, PropertyTable, Resource};
use escale_requests::rds;
use escale_service::{Entry, Operation, Service};
use serde_json::json;
use std::sync::Arc;

/// RDS with every database.
struct FakeRds;

impl Service for FakeRds {
    fn id(&self) -> &'static str {
        "rds"
    }
    fn operations(&self) -> Vec<Entry> {
        vec![Entry::of::<DescribeDBInstances>("DescribeDBInstances")]
    }
}

struct DescribeDBInstances;

impl Operation for DescribeDBInstances {
    type Input = rds::DescribeDBInstances;
    type Output = rds::FoundDBInstances;
    type Error = AwsError;

    fn run(_: &mut Cx<'_>, input: rds::DescribeDBInstances) -> Result<rds::FoundDBInstances, AwsError> {
        let endpoint = Some(rds::Endpoint { address: Some(format!("{}.internal", input.id)), port: 5432 });
        // Only the first database was created with a name.
        let db_name = (input.id == "one").then(|| "shop".to_owned());
        let engine = "postgres".to_owned();
        Ok(rds::FoundDBInstances {
            instances: vec![rds::DBInstance { id: input.id, engine, db_name, endpoint }],
        })
    }
}

fn setup() -> (Harness, Value) {
    (Harness::of(SecretsManager), json!({"Name": "app", "SecretString": "first"}))
}

fn stored(cloud: &Harness, id: &str) -> String {
    cloud.text("GetSecretValue", json!({"SecretId": id}), "/SecretString")
}

#[test]
fn secret_updates_every_property() {
    PropertyTable::new(SECRET, setup)
        .row("Description", json!("one"), json!("two"))
        .row("Description", json!("one"), json!(null))
        .row("KmsKeyId", json!("alias/one"), json!("alias/two"))
        .row("KmsKeyId", json!("alias/one"), json!(null))
        .row("SecretString", json!("first"), json!("second"))
        .row("Tags", tags(&[("a", "1"), ("b", "2")]), tags(&[("a", "3"), ("c", "4")]))
        .exempt(&[("GenerateSecretString", "tested below: its value differs each time")])
        .hidden(|cloud, secret| json!({"SecretString": stored(cloud, &secret.created.physical_id)}))
        .check();
}

fn tags(pairs: &[(&str, &str)]) -> Value {
    pairs.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

#[test]
fn changed_generator_generates_a_new_value() {
    let cloud = Harness::of(SecretsManager);
    let form = |length: u32| json!({"Name": "app", "GenerateSecretString": {"PasswordLength": length}});
    let mut secret = cloud.create_resource(SECRET, form(16)).unwrap();
    let first = stored(&cloud, "app");
    let mut described = form(16);
    described["Description"] = json!("of the app");
    cloud.update_resource(&mut secret, described).unwrap();
    assert_eq!(stored(&cloud, "app"), first, "another property leaves the value");
    cloud.update_resource(&mut secret, form(24)).unwrap();
    assert_eq!(stored(&cloud, "app").len(), 24);
    cloud.update_resource(&mut secret, json!({"Name": "app", "SecretString": "fixed"})).unwrap();
    assert_eq!(stored(&cloud, "app"), "fixed");
    cloud.update_resource(&mut secret, json!({"Name": "app"})).unwrap();
    assert_eq!(stored(&cloud, "app"), "fixed", "a template without a value leaves the existing one");
    cloud.update_resource(&mut secret, form(16)).unwrap();
    assert_eq!(stored(&cloud, "app").len(), 16);
}

#[test]
fn removed_key_returns_to_the_default() {
    let (cloud, base) = setup();
    let mut with_key = base.clone();
    with_key["KmsKeyId"] = json!("alias/one");
    let mut secret = cloud.create_resource(SECRET, with_key).unwrap();
    cloud.update_resource(&mut secret, base).unwrap();
    assert_eq!(cloud.ok("DescribeSecret", json!({"SecretId": "app"})).get("KmsKeyId"), None);
}

#[test]
fn deleted_secret_is_not_read() {
    let (cloud, base) = setup();
    let secret = cloud.create_resource(SECRET, base).unwrap();
    cloud.ok("DeleteSecret", json!({"SecretId": "app"}));
    assert_eq!(cloud.read_resource(&secret), Value::Null);
}

fn attachment() -> (Harness, Value) {
    let cloud = Harness::new(vec![Arc::new(SecretsManager), Arc::new(FakeRds)]);
    let value = json!({"username": "app", "password": "p"}).to_string();
    let arn = cloud.text("CreateSecret", json!({"Name": "app", "SecretString": value}), "/ARN");
    (cloud, json!({"SecretId": arn, "TargetId": "one", "TargetType": "AWS::RDS::DBInstance"}))
}

fn connection(cloud: &Harness, attachment: &Resource) -> Value {
    let text = stored(cloud, &attachment.created.physical_id);
    json!({"Value": serde_json::from_str::<Value>(&text).unwrap()})
}

#[test]
fn attachment_updates_every_property() {
    PropertyTable::new("AWS::SecretsManager::SecretTargetAttachment", attachment)
        .row("TargetId", json!("one"), json!("two"))
        .exempt(&[("TargetType", "only AWS::RDS::DBInstance is supported")])
        .hidden(connection)
        .check();
}

#[test]
fn attachment_to_another_database_replaces_its_data() {
    let (cloud, base) = attachment();
    let mut made =
        cloud.create_resource("AWS::SecretsManager::SecretTargetAttachment", base.clone()).unwrap();
    assert_eq!(connection(&cloud, &made)["Value"]["dbname"], "shop");
    let mut other = base;
    other["TargetId"] = json!("two");
    cloud.update_resource(&mut made, other).unwrap();
    let expected = json!({
        "username": "app", "password": "p", "engine": "postgres", "host": "two.internal", "port": 5432,
        "dbInstanceIdentifier": "two",
    });
    assert_eq!(connection(&cloud, &made)["Value"], expected);
    cloud.ok("PutSecretValue", json!({"SecretId": "app", "SecretString": "{}"}));
    assert_eq!(cloud.read_resource(&made), Value::Null);
}

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

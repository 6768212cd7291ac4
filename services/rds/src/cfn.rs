//! CloudFormation: instances, subnet groups and parameter groups.

use crate::{
    Error, rules,
    status::{self, Status},
};
use escale_base::{AwsError, already_gone};
use escale_service::{Created, Cx, Props, Readiness, ResourceType};
use escale_store::Image;
use escale_tables::rds::{Instance, InstanceSeen};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

pub(crate) const INSTANCE: &str = "AWS::RDS::DBInstance";

/// Of the properties, those that are text in the operation and those that templates may write as text.
const TEXTS: &[&str] = &[
    "AvailabilityZone",
    "CACertificateIdentifier",
    "DBInstanceClass",
    "DBName",
    "DBParameterGroupName",
    "DBSubnetGroupName",
    "Engine",
    "EngineLifecycleSupport",
    "EngineVersion",
    "KmsKeyId",
    "LicenseModel",
    "MasterUsername",
    "MasterUserPassword",
    "NetworkType",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "StorageType",
];
const NUMBERS: &[&str] = &[
    "AllocatedStorage",
    "BackupRetentionPeriod",
    "Iops",
    "MaxAllocatedStorage",
    "MonitoringInterval",
    "Port",
    "StorageThroughput",
];
const BOOLEANS: &[&str] = &[
    "AutoMinorVersionUpgrade",
    "CopyTagsToSnapshot",
    "DeletionProtection",
    "EnableIAMDatabaseAuthentication",
    "EnablePerformanceInsights",
    "ManageMasterUserPassword",
    "MultiAZ",
    "PubliclyAccessible",
    "StorageEncrypted",
];

pub(crate) fn types() -> Vec<ResourceType> {
    vec![
        ResourceType {
            name: INSTANCE,
            properties: &[
                "AllocatedStorage",
                "AutoMinorVersionUpgrade",
                "AvailabilityZone",
                "BackupRetentionPeriod",
                "CACertificateIdentifier",
                "CopyTagsToSnapshot",
                "DBInstanceClass",
                "DBInstanceIdentifier",
                "DBName",
                "DBParameterGroupName",
                "DBSnapshotIdentifier",
                "DBSubnetGroupName",
                "DeleteAutomatedBackups",
                "DeletionProtection",
                "EnableCloudwatchLogsExports",
                "EnableIAMDatabaseAuthentication",
                "EnablePerformanceInsights",
                "Engine",
                "EngineLifecycleSupport",
                "EngineVersion",
                "Iops",
                "KmsKeyId",
                "LicenseModel",
                "ManageMasterUserPassword",
                "MasterUserPassword",
                "MasterUserSecret",
                "MasterUsername",
                "MaxAllocatedStorage",
                "MonitoringInterval",
                "MultiAZ",
                "NetworkType",
                "Port",
                "PreferredBackupWindow",
                "PreferredMaintenanceWindow",
                "PubliclyAccessible",
                "StorageEncrypted",
                "StorageThroughput",
                "StorageType",
                "Tags",
                "VPCSecurityGroups",
            ],
            create: create_instance,
            ready: instance_ready,
            delete: delete_instance,
            gone: instance_gone,
        },
        ResourceType {
            name: "AWS::RDS::DBSubnetGroup",
            properties: &["DBSubnetGroupDescription", "DBSubnetGroupName", "SubnetIds", "Tags"],
            create: create_subnet_group,
            ready: |_, _| Readiness::ready(),
            delete: |cx, created| {
                let input = json!({"DBSubnetGroupName": created.physical_id});
                already_gone(cx.call_untyped("rds", "DeleteDBSubnetGroup", input))
            },
            gone: |_, _| Readiness::ready(),
        },
        ResourceType {
            name: "AWS::RDS::DBParameterGroup",
            properties: &["DBParameterGroupName", "Description", "Family", "Parameters", "Tags"],
            create: create_parameter_group,
            ready: |_, _| Readiness::ready(),
            delete: |cx, created| {
                let input = json!({"DBParameterGroupName": created.physical_id});
                already_gone(cx.call_untyped("rds", "DeleteDBParameterGroup", input))
            },
            gone: |_, _| Readiness::ready(),
        },
    ]
}

fn create_instance(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let id = props.name_or_generated("DBInstanceIdentifier", 63).to_ascii_lowercase();
    let mut input = Map::new();
    input.insert("DBInstanceIdentifier".into(), id.clone().into());
    input.insert("Tags".into(), props.tags());
    for name in TEXTS {
        if let Some(value) = props.get(name) {
            // `EngineVersion: 15` is a number in YAML.
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            input.insert((*name).into(), text.into());
        }
    }
    for name in NUMBERS {
        if let Some(value) = props.get(name) {
            let number = props.int(name).ok_or_else(|| odd(props, name, value, "a number"))?;
            input.insert((*name).into(), number.into());
        }
    }
    for name in BOOLEANS {
        if let Some(value) = props.get(name) {
            let truth = props.bool(name).ok_or_else(|| odd(props, name, value, "true or false"))?;
            input.insert((*name).into(), truth.into());
        }
    }
    for (property, member) in [
        ("VPCSecurityGroups", "VpcSecurityGroupIds"),
        ("EnableCloudwatchLogsExports", "EnableCloudwatchLogsExports"),
    ] {
        if let Some(list) = props.get(property) {
            input.insert(member.into(), list.clone());
        }
    }
    if let Some(key) = props.get("MasterUserSecret").and_then(|s| s.get("KmsKeyId")) {
        input.insert("MasterUserSecretKmsKeyId".into(), key.clone());
    }
    if props.bool("DeleteAutomatedBackups") == Some(false) {
        return Err(AwsError::not_supported("DeleteAutomatedBackups: false"));
    }
    let operation = match props.str("DBSnapshotIdentifier").filter(|s| !s.is_empty()) {
        None => "CreateDBInstance",
        Some(snapshot) => {
            input.insert("DBSnapshotIdentifier".into(), snapshot.into());
            // The snapshot has these; as on AWS, the template's are not looked at.
            for name in [
                "DBName",
                "EngineVersion",
                "KmsKeyId",
                "MasterUsername",
                "MasterUserPassword",
                "StorageEncrypted",
                "MaxAllocatedStorage",
                "PreferredMaintenanceWindow",
                "MasterUserSecretKmsKeyId",
            ] {
                input.remove(name);
            }
            "RestoreDBInstanceFromDBSnapshot"
        }
    };
    let made = cx.call_untyped("rds", operation, Value::Object(input))?;
    let made = &made["DBInstance"];
    let port = made["DbInstancePort"].as_i64().filter(|p| *p != 0);
    let port = port.or_else(|| cx.tx.get::<Instance>(&id).map(|i| i64::from(i.port))).unwrap_or(5432);
    let mut created = Created::new(id.clone())
        .with("Endpoint.Address", rules::endpoint(cx.config, &id))
        .with("Endpoint.Port", port.to_string())
        .with("DBInstanceArn", made["DBInstanceArn"].clone())
        .with("DbiResourceId", made["DbiResourceId"].clone());
    if let Some(arn) = made["MasterUserSecret"]["SecretArn"].as_str() {
        created = created.with("MasterUserSecret.SecretArn", arn);
    }
    Ok(created)
}

fn odd(props: &Props<'_>, name: &str, value: &Value, wanted: &str) -> AwsError {
    Error::Value(format!("{}: {name} is {value}, expected {wanted}", props.logical_id)).into()
}

fn instance_ready(image: &Image, created: &Created) -> Readiness {
    let Some(row) = image.get::<Instance>(&created.physical_id) else {
        return Readiness::Failed(format!("DB instance {} is gone", created.physical_id));
    };
    let seen = image.get::<InstanceSeen>(&row.id);
    let why = || seen.as_ref().and_then(|s| s.error.clone()).unwrap_or_default();
    match status::instance(image, &row) {
        Status::Available | Status::BackingUp => Readiness::Ready(BTreeMap::new()),
        Status::Failed | Status::IncompatibleParameters => Readiness::Failed(why()),
        Status::Deleting => Readiness::Failed(format!("DB instance {} is being deleted", row.id)),
        other => Readiness::Pending(format!("DB instance {} is {other}", row.id)),
    }
}

fn delete_instance(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    delete(cx, created, json!({"SkipFinalSnapshot": true}))
}

/// Under `DeletionPolicy: Snapshot`. The name is CloudFormation's: what it deletes, and something random.
pub(crate) fn delete_instance_with_snapshot(
    cx: &mut Cx<'_>,
    created: &Created,
    name: &str,
) -> Result<(), AwsError> {
    let id = snapshot_id(name, &escale_base::ids::random_hex(12));
    delete(cx, created, json!({"FinalDBSnapshotIdentifier": id}))
}

/// A snapshot's id may be 255 characters long and has no two hyphens in a row; a stack's name may have them.
fn snapshot_id(name: &str, tail: &str) -> String {
    let words = name.to_ascii_lowercase();
    let mut id = words.split('-').filter(|w| !w.is_empty()).collect::<Vec<_>>().join("-");
    id.truncate(254 - tail.len());
    format!("{}-{tail}", id.trim_end_matches('-'))
}

fn delete(cx: &mut Cx<'_>, created: &Created, mut input: Value) -> Result<(), AwsError> {
    match cx.tx.get::<Instance>(&created.physical_id) {
        None => return Ok(()),
        Some(row) if row.deletion.is_some() => return Ok(()),
        // Never made: there is nothing to keep.
        Some(row) if matches!(status::instance(cx.tx, &row), Status::Failed | Status::Creating) => {
            input = json!({"SkipFinalSnapshot": true});
        }
        Some(_) => {}
    }
    input["DBInstanceIdentifier"] = created.physical_id.clone().into();
    cx.call_untyped("rds", "DeleteDBInstance", input).map(drop)
}

fn instance_gone(image: &Image, created: &Created) -> Readiness {
    match image.has::<Instance>(&created.physical_id) {
        true => Readiness::Pending(format!("DB instance {} is being deleted", created.physical_id)),
        false => Readiness::ready(),
    }
}

fn create_subnet_group(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let name = props.name_or_generated("DBSubnetGroupName", 255).to_ascii_lowercase();
    let input = json!({
        "DBSubnetGroupName": name,
        "DBSubnetGroupDescription": props.required("DBSubnetGroupDescription")?,
        "SubnetIds": props.required("SubnetIds")?,
        "Tags": props.tags(),
    });
    cx.call_untyped("rds", "CreateDBSubnetGroup", input)?;
    Ok(Created::new(name))
}

fn create_parameter_group(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let name = props.name_or_generated("DBParameterGroupName", 255).to_ascii_lowercase();
    let input = json!({
        "DBParameterGroupName": name,
        "DBParameterGroupFamily": props.required("Family")?,
        "Description": props.required("Description")?,
        "Tags": props.tags(),
    });
    cx.call_untyped("rds", "CreateDBParameterGroup", input)?;
    let parameters = props.get("Parameters").and_then(Value::as_object);
    let settings: Vec<Value> = parameters
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            json!({"ParameterName": name, "ParameterValue": text})
        })
        .collect();
    if !settings.is_empty() {
        let input = json!({"DBParameterGroupName": name, "Parameters": settings});
        cx.call_untyped("rds", "ModifyDBParameterGroup", input)?;
    }
    Ok(Created::new(name.clone()).with("DBParameterGroupName", name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_snapshot_has_an_id_that_rds_takes() {
        for (name, id) in [
            ("shop-snapshot-Db", "shop-snapshot-db-0f0f".to_owned()),
            ("my--shop-snapshot-Db", "my-shop-snapshot-db-0f0f".to_owned()),
            (&"x".repeat(400), format!("{}-0f0f", "x".repeat(250))),
        ] {
            assert_eq!(snapshot_id(name, "0f0f"), id);
            crate::rules::identifier("FinalDBSnapshotIdentifier", &id, 255).unwrap();
        }
    }
}

//! `AWS::RDS::DBInstance`: creation and deletion continue after their transaction, and so do most changes.

use super::update::update_instance;
use crate::{
    ops::{
        create_db_instance::CreateDBInstance, create_db_instance_read_replica::CreateDBInstanceReadReplica,
        delete_db_instance::DeleteDBInstance, describe_db_instances::DescribeDBInstances,
        restore_db_instance_from_db_snapshot::RestoreDBInstanceFromDBSnapshot,
    },
    rules, shapes,
    status::{self, Status},
};
use escale_base::{
    AwsError, Wire, found,
    wire::{Map, Value},
};
use escale_service::{
    Created, Cx, InputDraft, Named, PropertyChange, Props, Readiness, ResourceType, properties_of,
};
use escale_store::Image;
use escale_tables::rds::{Instance, InstanceSeen};
use std::collections::BTreeMap;

pub(crate) const INSTANCE: &str = "AWS::RDS::DBInstance";

pub(super) fn instance_type() -> ResourceType {
    ResourceType::new(
        INSTANCE,
        &[
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
            "SourceDBInstanceIdentifier",
            "StorageEncrypted",
            "StorageThroughput",
            "StorageType",
            "Tags",
            "VPCSecurityGroups",
        ],
        create_instance,
        |cx, created| delete(cx, created, None),
    )
    .ready(instance_ready)
    .gone(instance_gone)
    .update(update_instance)
    .read(read_instance)
    .adopt(|cx, id, _| adopt_instance(cx, id))
    .replaces_if(instance_is_replaced)
}

/// The source of a read replica. An update that removes it promotes the replica.
pub(super) const SOURCE: &str = "SourceDBInstanceIdentifier";

/// Properties that the snapshot determines. As on AWS, the template's values are ignored.
const OF_THE_SNAPSHOT: &[&str] = &[
    "DBName",
    "EngineVersion",
    "KmsKeyId",
    "MasterUserPassword",
    "MasterUsername",
    "MaxAllocatedStorage",
    "PreferredMaintenanceWindow",
    "StorageEncrypted",
];

#[derive(Wire)]
struct SecretOfMasterUser {
    kms_key_id: Option<String>,
}

/// The key that encrypts the secret of a managed password.
pub(super) fn key_of_secret(props: &Props<'_>) -> Result<Option<String>, AwsError> {
    Ok(props.read::<Option<SecretOfMasterUser>>("MasterUserSecret")?.and_then(|secret| secret.kms_key_id))
}

/// Automated snapshots are always deleted with their instance.
pub(super) fn check_automated_backups(props: &Props<'_>) -> Result<(), AwsError> {
    match props.bool("DeleteAutomatedBackups") {
        Some(false) => Err(AwsError::not_supported("DeleteAutomatedBackups: false")
            .hint("Use the DeletionPolicy Snapshot to keep a snapshot.")),
        _ => Ok(()),
    }
}

fn create_instance(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    check_automated_backups(props)?;
    let id = props.name_or_generated("DBInstanceIdentifier", 63).to_ascii_lowercase();
    let snapshot = props.str("DBSnapshotIdentifier").filter(|s| !s.is_empty()).map(str::to_owned);
    if let Some(source) = props.str(SOURCE).filter(|s| !s.is_empty()) {
        if snapshot.is_some() {
            let what = format!("{SOURCE} and DBSnapshotIdentifier cannot be specified together.");
            return Err(crate::Error::Combination(what).into());
        }
        if let Some(other) = props.str("Engine").filter(|engine| *engine != "postgres") {
            let what = format!("The engine of the source {source} is postgres, not {other}.");
            return Err(crate::Error::Combination(what).into());
        }
        let input = instance_input::<CreateDBInstanceReadReplica>(props, &id, &["Engine"])?;
        let made = input.call(cx)?;
        return described(cx, &id, &made.db_instance);
    }
    let made = match snapshot {
        None => {
            let key = key_of_secret(props)?;
            let input = instance_input::<CreateDBInstance>(props, &id, &[])?;
            input.with("MasterUserSecretKmsKeyId", &key).call(cx)?
        }
        Some(snapshot) => {
            let input = instance_input::<RestoreDBInstanceFromDBSnapshot>(props, &id, OF_THE_SNAPSHOT)?;
            input.with("DBSnapshotIdentifier", &snapshot).call(cx)?
        }
    };
    described(cx, &id, &made.db_instance)
}

fn described(cx: &mut Cx<'_>, id: &str, made: &shapes::InstanceShape) -> Result<Created, AwsError> {
    let created = Created::new(id)
        .with("Endpoint.Address", rules::endpoint(cx.config, id))
        .with("DBInstanceArn", made.arn.as_str())
        .with("DbiResourceId", made.dbi_resource_id.as_str());
    with_changeable(cx, created, made)
}

fn adopt_instance(cx: &mut Cx<'_>, id: &str) -> Result<Created, AwsError> {
    let input = InputDraft::<DescribeDBInstances>::new().with("DBInstanceIdentifier", &id.to_owned());
    let made = input.call(cx)?.db_instances.into_iter().next();
    described(cx, id, &made.ok_or_else(|| crate::Error::NoInstance(id.to_owned()))?)
}

/// Sets the attributes that an update can change.
pub(super) fn with_changeable(
    cx: &Cx<'_>,
    created: Created,
    made: &shapes::InstanceShape,
) -> Result<Created, AwsError> {
    const SECRET: &str = "MasterUserSecret.SecretArn";
    let port = cx.tx.get::<Instance>(&created.physical_id).ok_or_else(AwsError::internal)?.port;
    let mut created = created.with("Endpoint.Port", port.to_string());
    created.attributes.remove(SECRET);
    Ok(match &made.master_user_secret {
        Some(secret) => created.with(SECRET, secret.secret_arn.as_str()),
        None => created,
    })
}

fn instance_input<O: Named>(
    props: &Props<'_>,
    id: &String,
    without: &[&str],
) -> Result<InputDraft<O>, AwsError> {
    let special = [
        "DBInstanceIdentifier",
        "DBSnapshotIdentifier",
        "DeleteAutomatedBackups",
        "MasterUserSecret",
        "Tags",
    ];
    let input = props.input_without::<O>(&[&special, without].concat());
    let input = input.renamed(&[("VPCSecurityGroups", "VpcSecurityGroupIds")]);
    Ok(input.with("DBInstanceIdentifier", id).with("Tags", &props.tags()?))
}

/// The conditions of AWS's own handler, for the properties that exist here. Other properties, such as MultiAZ, never replace a
/// database:
/// <https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-rds/blob/master/aws-rds-dbinstance/src/main/java/software/amazon/rds/dbinstance/util/ImmutabilityHelper.java>
fn instance_is_replaced(change: &PropertyChange<'_>) -> bool {
    let after = |name: &str| change.after.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    match change.property {
        // AWS's exceptions concern engines that do not exist here.
        "Engine" => true,
        // When the property is removed from a Multi-AZ instance, the instance stays in its zones.
        "AvailabilityZone" => {
            let multi_az = change.after.get("MultiAZ").and_then(Value::as_bool) == Some(true);
            after("AvailabilityZone").is_some() || !multi_az
        }
        // Removing the property keeps the database. Another snapshot means another database.
        "DBSnapshotIdentifier" => after("DBSnapshotIdentifier").is_some(),
        // Removing the property promotes the replica. Another source means other data.
        SOURCE => after(SOURCE).is_some(),
        _ => false,
    }
}

fn instance_ready(image: &Image, created: &Created) -> Readiness {
    let Some(row) = image.get::<Instance>(&created.physical_id) else {
        return Readiness::Failed(format!("DB instance {} no longer exists", created.physical_id));
    };
    let seen = image.get::<InstanceSeen>(&row.id);
    let why = || seen.as_ref().and_then(|s| s.error.clone()).unwrap_or_default();
    match status::instance(image, &row) {
        // A stopped instance has all its changes.
        Status::Available | Status::BackingUp | Status::Stopped => Readiness::Ready(BTreeMap::new()),
        Status::Failed | Status::IncompatibleParameters => Readiness::Failed(why()),
        Status::Deleting => Readiness::Failed(format!("DB instance {} is being deleted", row.id)),
        other => Readiness::Pending(format!("DB instance {} is {other}", row.id)),
    }
}

/// Properties whose names differ from those of the API's answer.
const RENAMED: &[(&str, &str)] = &[
    ("EnableCloudwatchLogsExports", "EnabledCloudwatchLogsExports"),
    ("EnableIAMDatabaseAuthentication", "IAMDatabaseAuthenticationEnabled"),
    ("EnablePerformanceInsights", "PerformanceInsightsEnabled"),
    (SOURCE, "ReadReplicaSourceDBInstanceIdentifier"),
    ("Tags", "TagList"),
];

fn read_instance(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let Some(row) = cx.tx.get::<Instance>(&created.physical_id) else { return Ok(None) };
    let input = InputDraft::<DescribeDBInstances>::new().with("DBInstanceIdentifier", &row.id);
    let answer = found(input.call(cx))?;
    let instance = answer.into_iter().flat_map(|answer| answer.db_instances).next();
    let Some(instance) = instance.filter(|instance| instance.status != Status::Deleting) else {
        return Ok(None);
    };
    let mut properties = properties_of(INSTANCE, &instance, RENAMED);
    let mut set = |property: &str, value: Value| properties.insert(property.into(), value);
    let groups = instance.vpc_security_groups.iter();
    set("VPCSecurityGroups", groups.map(|group| Value::from(group.vpc_security_group_id.as_str())).collect());
    set("Port", row.port.to_string().into());
    set("ManageMasterUserPassword", instance.master_user_secret.is_some().into());
    if let Some(group) = instance.parameter_groups.first() {
        set("DBParameterGroupName", group.name.as_str().into());
    }
    if let Some(group) = &instance.subnet_group {
        set("DBSubnetGroupName", group.name.as_str().into());
    }
    Ok(Some(properties))
}

/// Deletes under `DeletionPolicy: Snapshot`. The snapshot's id is CloudFormation's name for it, with a random end.
pub(crate) fn delete_instance_with_snapshot(
    cx: &mut Cx<'_>,
    created: &Created,
    name: &str,
) -> Result<(), AwsError> {
    delete(cx, created, Some(snapshot_id(name, &escale_base::ids::random_hex(12))))
}

/// A snapshot's id can be 255 characters long and cannot have two hyphens in a row. A stack's name can.
fn snapshot_id(name: &str, tail: &str) -> String {
    let words = name.to_ascii_lowercase();
    let mut id = words.split('-').filter(|w| !w.is_empty()).collect::<Vec<_>>().join("-");
    id.truncate(254 - tail.len());
    format!("{}-{tail}", id.trim_end_matches('-'))
}

fn delete(cx: &mut Cx<'_>, created: &Created, snapshot: Option<String>) -> Result<(), AwsError> {
    let snapshot = match cx.tx.get::<Instance>(&created.physical_id) {
        None => return Ok(()),
        Some(row) if row.deletion.is_some() => return Ok(()),
        // The instance was never available, so there is no data for a snapshot.
        Some(row) if matches!(status::instance(cx.tx, &row), Status::Failed | Status::Creating) => None,
        // AWS takes no final snapshot of a read replica.
        Some(row) if crate::replicas::is_replica(&row) => None,
        Some(_) => snapshot,
    };
    let input = InputDraft::<DeleteDBInstance>::new().with("DBInstanceIdentifier", &created.physical_id);
    let input = input.with("SkipFinalSnapshot", &snapshot.is_none().then_some(true));
    input.with("FinalDBSnapshotIdentifier", &snapshot).call(cx).map(drop)
}

fn instance_gone(image: &Image, created: &Created) -> Readiness {
    if image.has::<Instance>(&created.physical_id) {
        Readiness::Pending(format!("DB instance {} is being deleted", created.physical_id))
    } else {
        Readiness::ready()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn update_replaces_a_database_only_where_aws_does() {
        let instance = instance_type();
        let check = |property: &str, before: Value, after: Value, replaces: bool| {
            let (before, after) = (before.as_object().unwrap(), after.as_object().unwrap());
            let change = PropertyChange { property, before, after };
            assert_eq!(instance.replaces(&change), replaces, "{property}: {before:?}, then {after:?}");
        };
        check("MultiAZ", json!({"MultiAZ": false}), json!({"MultiAZ": true}), false);
        check("MultiAZ", json!({"MultiAZ": true}), json!({}), false);
        check("BackupRetentionPeriod", json!({}), json!({"BackupRetentionPeriod": 7}), false);
        check("AvailabilityZone", json!({"AvailabilityZone": "a"}), json!({"AvailabilityZone": "b"}), true);
        check("AvailabilityZone", json!({"AvailabilityZone": "a"}), json!({}), true);
        check("AvailabilityZone", json!({"AvailabilityZone": "a"}), json!({"MultiAZ": true}), false);
        check("DBSnapshotIdentifier", json!({"DBSnapshotIdentifier": "s"}), json!({}), false);
        check("DBSnapshotIdentifier", json!({}), json!({"DBSnapshotIdentifier": "s"}), true);
        check("Engine", json!({"Engine": "postgres"}), json!({"Engine": "mysql"}), true);
        // Properties that the schema marks as create-only.
        check("DBName", json!({"DBName": "a"}), json!({"DBName": "b"}), true);
        check("DBInstanceClass", json!({"DBInstanceClass": "a"}), json!({"DBInstanceClass": "b"}), false);
        check("Engine", json!({"Engine": "postgres"}), json!({"Engine": "postgres"}), false);
    }

    #[test]
    fn final_snapshot_gets_a_valid_id() {
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

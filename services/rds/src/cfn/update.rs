//! Changes an instance by ModifyDBInstance.

use super::{change_tags, instance};
use crate::{
    engines,
    ops::{
        create_db_instance::{CERTIFICATE, STORAGE_TYPE},
        modify_db_instance::{DEFAULT_SECRET_KEY, ModifyDBInstance},
        promote_read_replica::PromoteReadReplica,
        reboot_db_instance::RebootDBInstance,
    },
    parameters, rules, windows,
};
use escale_base::{
    AwsError,
    wire::{Map, Value},
};
use escale_service::{Created, Cx, InputDraft, Update};
use escale_tables::rds::{Instance, LifecycleSupport, ParameterGroup};
use serde_json::json;

/// Properties that are members of ModifyDBInstance. The value of one that the template no longer has is in [`default_of`].
const MODIFIED: &[&str] = &[
    "AllocatedStorage",
    "AutoMinorVersionUpgrade",
    "BackupRetentionPeriod",
    "CACertificateIdentifier",
    "CopyTagsToSnapshot",
    "DBInstanceClass",
    "DBParameterGroupName",
    "DeletionProtection",
    "EnableIAMDatabaseAuthentication",
    "EnablePerformanceInsights",
    "EngineLifecycleSupport",
    "EngineVersion",
    "Iops",
    "LicenseModel",
    "MaxAllocatedStorage",
    "MonitoringInterval",
    "MultiAZ",
    "NetworkType",
    "Port",
    "PreferredBackupWindow",
    "PreferredMaintenanceWindow",
    "PubliclyAccessible",
    "StorageThroughput",
    "StorageType",
    "VPCSecurityGroups",
];
const OF_THE_PROMOTION: &[&str] = &["BackupRetentionPeriod", "PreferredBackupWindow"];
const RENAMED: &[(&str, &str)] = &[("Port", "DBPortNumber"), ("VPCSecurityGroups", "VpcSecurityGroupIds")];

pub(super) fn update_instance(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let (created, after) = (update.created, update.after);
    instance::check_automated_backups(after)?;
    change_tags(cx, update, "db")?;
    let row = cx.tx.get::<Instance>(&created.physical_id);
    let row = row.ok_or_else(|| crate::Error::NoInstance(created.physical_id.clone()))?;
    let promotes = update.changed(instance::SOURCE) && crate::replicas::is_replica(&row);
    if promotes {
        let input = after.input::<PromoteReadReplica>(OF_THE_PROMOTION);
        input.with("DBInstanceIdentifier", &created.physical_id).call(cx)?;
    }
    // The promotion has set what begins with it.
    let is_set = |property: &str| promotes && OF_THE_PROMOTION.contains(&property);
    let mut members: Map<String, Value> = Map::new();
    for property in MODIFIED.iter().filter(|property| update.changed(property) && !is_set(property)) {
        let value = after.get(property).cloned().or_else(|| default_of(property, update, cx, &row));
        if let Some(value) = value.filter(|_| !is_kept(update, property, &row)) {
            members.insert((*property).to_owned(), value);
        }
    }
    password(update, &mut members)?;
    if update.changed("MasterUserSecret") {
        let key = instance::key_of_secret(after)?;
        // Without a key AWS uses the account's own.
        members.insert(
            "MasterUserSecretKmsKeyId".into(),
            key.unwrap_or_else(|| DEFAULT_SECRET_KEY.into()).into(),
        );
    }
    if update.changed("EnableCloudwatchLogsExports") {
        members.insert("CloudwatchLogsExportConfiguration".into(), log_exports(update)?);
    }
    if members.is_empty() {
        return Ok(created.clone());
    }
    if update.changed("DBParameterGroupName") && needs_reboot(cx, &members, &row) {
        // Takes place once the group is applied. AWS's handler reboots, too, if a parameter waits for it.
        InputDraft::<RebootDBInstance>::new().with("DBInstanceIdentifier", &created.physical_id).call(cx)?;
    }
    let mut input = InputDraft::<ModifyDBInstance>::new();
    for (member, value) in &members {
        input = input.with(member, value);
    }
    let input = input.renamed(RENAMED).with("DBInstanceIdentifier", &created.physical_id);
    let made = input.with("ApplyImmediately", &true).call(cx)?.db_instance;
    instance::with_changeable(cx, created.clone(), &made)
}

/// The value of a property that the new template does not have. None: the instance keeps its value, as on AWS.
fn default_of(property: &str, update: &Update<'_>, cx: &Cx<'_>, row: &Instance) -> Option<Value> {
    let after = update.after;
    let text = |name: &str, or: &str| after.str(name).unwrap_or(or).to_owned();
    let size = text("AllocatedStorage", "").parse().unwrap_or(row.recorded.allocated_storage_gb);
    let (iops, throughput) = rules::storage_defaults(&text("StorageType", STORAGE_TYPE), size);
    Some(match property {
        "AutoMinorVersionUpgrade" => json!(true),
        "BackupRetentionPeriod" => json!(1),
        "CACertificateIdentifier" => json!(CERTIFICATE),
        "DBParameterGroupName" => json!(rules::default_parameter_group(row.major)),
        "CopyTagsToSnapshot"
        | "DeletionProtection"
        | "EnableIAMDatabaseAuthentication"
        | "EnablePerformanceInsights"
        | "MultiAZ"
        | "PubliclyAccessible" => json!(false),
        "EngineLifecycleSupport" => json!(LifecycleSupport::default().as_str()),
        "Iops" => json!(iops?),
        "StorageThroughput" => json!(throughput?),
        "StorageType" => json!(STORAGE_TYPE),
        // The allocated size as the maximum turns the growth of the storage off.
        "MaxAllocatedStorage" => json!(size),
        "MonitoringInterval" => json!(0),
        "Port" => json!("5432"),
        "PreferredBackupWindow" => json!(windows::BACKUP),
        "PreferredMaintenanceWindow" => json!(windows::MAINTENANCE),
        "VPCSecurityGroups" => json!(rules::security_groups(cx.tx, &row.vpc, vec![]).ok()?),
        // The only supported values of LicenseModel and NetworkType are their defaults.
        _ => return None,
    })
}

/// Whether a rollback returns to a value that RDS cannot return to: storage never shrinks, and an engine is never downgraded. AWS's
/// handler leaves both as they are then:
/// <https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-rds/blob/master/aws-rds-dbinstance/src/main/java/software/amazon/rds/dbinstance/Translator.java>
fn is_kept(update: &Update<'_>, property: &str, row: &Instance) -> bool {
    let after = update.after.str(property).unwrap_or_default();
    update.is_rollback
        && match property {
            "AllocatedStorage" => after.parse::<i32>().is_ok_and(|gb| gb < row.recorded.allocated_storage_gb),
            "EngineVersion" => engines::is_older(after, &row.engine_version),
            _ => false,
        }
}

/// A password of the template, or one that RDS manages.
fn password(update: &Update<'_>, members: &mut Map<String, Value>) -> Result<(), AwsError> {
    if !update.any_changed(&["ManageMasterUserPassword", "MasterUserPassword"]) {
        return Ok(());
    }
    let managed = update.after.bool("ManageMasterUserPassword") == Some(true);
    if managed || update.changed("ManageMasterUserPassword") {
        members.insert("ManageMasterUserPassword".into(), managed.into());
    }
    if let Some(password) = update.after.get("MasterUserPassword") {
        members.insert("MasterUserPassword".into(), password.clone());
    }
    Ok(())
}

/// Enables all logs of the template, also those that it had before: somebody else may have disabled one.
fn log_exports(update: &Update<'_>) -> Result<Value, AwsError> {
    let (off, _) = update.list::<String>("EnableCloudwatchLogsExports")?;
    let on: Vec<String> = update.after.read("EnableCloudwatchLogsExports")?;
    Ok(json!({"EnableLogTypes": on, "DisableLogTypes": off}))
}

/// Whether the new group or the old one sets a parameter that only a restart applies.
fn needs_reboot(cx: &Cx<'_>, members: &Map<String, Value>, row: &Instance) -> bool {
    let new = members.get("DBParameterGroupName").and_then(Value::as_str).unwrap_or_default();
    let is_static = |name: &String| parameters::find(name).is_some_and(|known| known.is_static());
    let groups = [new.to_ascii_lowercase(), row.parameter_group.clone()];
    let rows = groups.iter().filter_map(|name| cx.tx.get::<ParameterGroup>(name));
    row.running && rows.into_iter().any(|group| group.parameters.keys().any(is_static))
}

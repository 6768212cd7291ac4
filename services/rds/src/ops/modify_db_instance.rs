//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html>

use super::create_db_instance::{check_class, check_storage_type, log_exports, port};
use crate::{
    Error, engines, events, network, provision, replicas, rules,
    shapes::{self, InstanceAnswer},
    status::{self, Status},
    windows,
};
use escale_base::{AwsError, Secret, Wire};
use escale_service::{Also, Cx, Operation};
use escale_tables::{
    ec2::GroupId,
    rds::{Instance, InstanceSeen, LifecycleSupport, LogExport, RdsEndpoint, Reboot},
};

pub(crate) struct ModifyDBInstance;

/// AWS's alias for the key that encrypts secrets without a key of their own.
pub(crate) const DEFAULT_SECRET_KEY: &str = "alias/aws/secretsmanager";

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DBInstanceIdentifier")]
    id: String,
    #[wire("NewDBInstanceIdentifier")]
    new_id: Option<String>,
    #[wire("DBPortNumber")]
    port: Option<i32>,
    allocated_storage: Option<i32>,
    #[wire("DBInstanceClass")]
    class: Option<String>,
    vpc_security_group_ids: Vec<GroupId>,
    apply_immediately: Option<bool>,
    master_user_password: Option<Secret<String>>,
    #[wire("DBParameterGroupName")]
    parameter_group: Option<String>,
    backup_retention_period: Option<i32>,
    preferred_backup_window: Option<String>,
    preferred_maintenance_window: Option<String>,
    #[wire("MultiAZ")]
    multi_az: Option<bool>,
    engine_version: Option<String>,
    auto_minor_version_upgrade: Option<bool>,
    iops: Option<i32>,
    storage_throughput: Option<i32>,
    storage_type: Option<String>,
    #[wire("CACertificateIdentifier")]
    ca_certificate: Option<String>,
    copy_tags_to_snapshot: Option<bool>,
    publicly_accessible: Option<bool>,
    deletion_protection: Option<bool>,
    max_allocated_storage: Option<i32>,
    manage_master_user_password: Option<bool>,
    rotate_master_user_password: Option<bool>,
    master_user_secret_kms_key_id: Option<String>,
    engine_lifecycle_support: Option<LifecycleSupport>,
    enable_performance_insights: Option<bool>,
    #[wire("EnableIAMDatabaseAuthentication")]
    iam_authentication: Option<bool>,
    monitoring_interval: Option<i32>,
    network_type: Option<String>,
    license_model: Option<String>,
    cloudwatch_logs_export_configuration: Option<LogExports>,
}

#[derive(Wire)]
struct LogExports {
    enable_log_types: Vec<String>,
    disable_log_types: Vec<String>,
}

impl Operation for ModifyDBInstance {
    type Input = Input;
    type Output = InstanceAnswer;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        rules::instance_arn(cx, &input.id)
    }

    fn also(input: &Input, cx: &Cx<'_>) -> Vec<Also> {
        rules::managed_secret(cx, input.manage_master_user_password, input.rotate_master_user_password)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<InstanceAnswer, Error> {
        let mut row = Instance::clone(&*rules::instance(cx.tx, &input.id)?);
        let status = status::instance(cx.tx, &row);
        if status == Status::Deleting {
            return Err(Error::InstanceState(format!("Instance {} is being deleted.", row.id)));
        }
        refuse_unsupported(&input)?;
        refuse_for_replication(cx, &row, &input)?;
        version(cx, &mut row, input.engine_version.as_deref())?;
        change_recorded(&mut row, &input)?;
        password(cx, &mut row, &input)?;
        if let Some(group) = &input.parameter_group {
            row.parameter_group = rules::parameter_group(cx.tx, group, row.major)?;
        }
        if !input.vpc_security_group_ids.is_empty() {
            network::security_groups(cx, &mut row, input.vpc_security_group_ids)?;
        }
        let when_available = |row: &Instance, what: &str| match status {
            Status::Available | Status::BackingUp => Ok(()),
            _ => Err(Error::InstanceState(format!(
                "Instance {} is {status}. {what} can only be changed while it is available.",
                row.id
            ))),
        };
        let new_port = input.port.map(|given| port(Some(given))).transpose()?;
        if let Some(port) = new_port.filter(|port| *port != row.port) {
            when_available(&row, "DBPortNumber")?;
            network::change_port(cx, &mut row, port)?;
            row.revision += 1;
        }
        if let Some(multi_az) = input.multi_az.filter(|m| *m != row.multi_az) {
            when_available(&row, "MultiAZ")?;
            network::change_zones(cx, &mut row, multi_az)?;
            row.revision += 1;
        }
        let new_id = input.new_id.map(|id| rules::identifier("NewDBInstanceIdentifier", &id, 63));
        if let Some(id) = new_id.transpose()?.filter(|id| *id != row.id) {
            when_available(&row, "DBInstanceIdentifier")?;
            rename(cx, &mut row, id)?;
        }
        cx.tx.put(row.clone());
        Ok(InstanceAnswer { db_instance: shapes::instance(cx, &row) })
    }
}

fn refuse_unsupported(input: &Input) -> Result<(), Error> {
    rules::refuse_public(input.publicly_accessible)?;
    rules::refuse_unsupported_features(rules::Features {
        iam_authentication: input.iam_authentication,
        monitoring_interval: input.monitoring_interval,
        network_type: input.network_type.as_deref(),
        license_model: input.license_model.as_deref(),
    })
}

/// A replica has what its source has, and the source's backups are the beginning of each replica.
fn refuse_for_replication(cx: &Cx<'_>, row: &Instance, input: &Input) -> Result<(), Error> {
    if input.backup_retention_period == Some(0) && !replicas::of(cx.tx, row).is_empty() {
        let what = format!(
            "Automated backups of instance {} cannot be turned off while it has read replicas. Promote or delete them first.",
            row.id
        );
        return Err(Error::InstanceState(what));
    }
    let password = input.master_user_password.is_some()
        || input.manage_master_user_password == Some(true)
        || input.rotate_master_user_password == Some(true);
    let changes = [
        (password, "The master password"),
        (input.backup_retention_period.is_some_and(|days| days > 0), "A BackupRetentionPeriod above 0"),
        (input.multi_az == Some(true), "MultiAZ=true"),
    ];
    changes
        .into_iter()
        .filter(|(asked, _)| *asked)
        .try_for_each(|(_, what)| replicas::refuse_on_replica(row, what))
}

/// The installed package decides the minor release, so a newer one is only recorded.
fn version(cx: &Cx<'_>, row: &mut Instance, requested: Option<&str>) -> Result<(), Error> {
    let Some(requested) = requested.filter(|version| *version != row.engine_version) else { return Ok(()) };
    let (major, version) = engines::version(cx.tx, "postgres", Some(requested))?;
    if major > row.major {
        let what = format_args!("An upgrade of PostgreSQL {} to {major}", row.major);
        let hint = "Create another instance with the new version, and copy the data with pg_dump.";
        return Err(AwsError::not_supported(what).hint(hint).into());
    }
    if engines::is_older(&version, &row.engine_version) {
        let what = format!("Cannot upgrade postgres from {} to {version}", row.engine_version);
        return Err(Error::Combination(what));
    }
    row.engine_version = version;
    Ok(())
}

/// Moves everything that is stored under the identifier. As on AWS, the database, its resource id and its snapshots stay the same,
/// the old DNS name is deleted, and the instance reboots, which ends the connections that were made by the old name.
///
/// Source: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RenameInstance.html>
fn rename(cx: &mut Cx<'_>, row: &mut Instance, id: String) -> Result<(), Error> {
    if cx.tx.has::<Instance>(&id) {
        return Err(Error::InstanceExists(id));
    }
    let old = std::mem::replace(&mut row.id, id.clone());
    row.reboot = Some(Reboot { asked: cx.now, failover_from: None });
    cx.tx.delete::<Instance>(&old);
    if let Some(seen) = cx.tx.get::<InstanceSeen>(&old) {
        cx.tx.delete::<InstanceSeen>(&old);
        cx.tx.put(InstanceSeen { id: id.clone(), ..(*seen).clone() });
    }
    let names = [&old, &id].map(|id| rules::endpoint(cx.config, id));
    if let Some(endpoint) = cx.tx.get::<RdsEndpoint>(&names[0]) {
        cx.tx.delete::<RdsEndpoint>(&names[0]);
        cx.tx.put(RdsEndpoint { name: names[1].clone(), ..(*endpoint).clone() });
    }
    let message = format!("Renamed instance from {old} to {id}");
    events::instance(cx.tx, cx.config, cx.now, &id, "configuration change", &message);
    Ok(())
}

/// Changes that the plane need not execute.
fn change_recorded(row: &mut Instance, input: &Input) -> Result<(), Error> {
    storage(row, input)?;
    let kept = &mut row.recorded;
    if let Some(class) = &input.class {
        check_class(class)?;
        kept.class.clone_from(class);
    }
    kept.ca_certificate = input.ca_certificate.clone().unwrap_or_else(|| kept.ca_certificate.clone());
    if input.preferred_backup_window.is_some() || input.preferred_maintenance_window.is_some() {
        let backup = input.preferred_backup_window.as_ref().unwrap_or(&kept.backup_window);
        let maintenance = input.preferred_maintenance_window.as_ref().unwrap_or(&kept.maintenance_window);
        (kept.backup_window, kept.maintenance_window) = windows::both(Some(backup), Some(maintenance))?;
    }
    kept.auto_minor_version_upgrade =
        input.auto_minor_version_upgrade.unwrap_or(kept.auto_minor_version_upgrade);
    kept.performance_insights = input.enable_performance_insights.unwrap_or(kept.performance_insights);
    kept.lifecycle_support = input.engine_lifecycle_support.unwrap_or(kept.lifecycle_support);
    if let Some(exports) = &input.cloudwatch_logs_export_configuration {
        let (on, off) = (log_exports(&exports.enable_log_types)?, log_exports(&exports.disable_log_types)?);
        if on.iter().any(|log| off.contains(log)) {
            let what = "A log type cannot be in EnableLogTypes and in DisableLogTypes.";
            return Err(Error::Combination(what.into()));
        }
        let new = |log: &LogExport| !kept.log_exports.contains(log);
        let added: Vec<LogExport> = on.into_iter().filter(new).collect();
        kept.log_exports.retain(|log| !off.contains(log));
        kept.log_exports.extend(added);
    }
    if let Some(key) = &input.master_user_secret_kms_key_id {
        kept.secret_kms_key_id = Some(key.clone()).filter(|key| key != DEFAULT_SECRET_KEY);
    }
    if let Some(days) = input.backup_retention_period {
        row.backup_retention_days = rules::backup_retention(days)?;
    }
    row.copy_tags_to_snapshot = input.copy_tags_to_snapshot.unwrap_or(row.copy_tags_to_snapshot);
    row.deletion_protection = input.deletion_protection.unwrap_or(row.deletion_protection);
    Ok(())
}

fn storage(row: &mut Instance, input: &Input) -> Result<(), Error> {
    let kept = &mut row.recorded;
    if let Some(gb) = input.allocated_storage {
        if gb < kept.allocated_storage_gb {
            return Err(Error::Combination(
                "Requested storage size must not be less than the current one".into(),
            ));
        }
        kept.allocated_storage_gb = gb;
    }
    // Other storage has other defaults.
    let other = input.storage_type.as_ref().filter(|kind| **kind != kept.storage_type);
    if let Some(kind) = other {
        check_storage_type(kind)?;
        kept.storage_type.clone_from(kind);
        (kept.iops, kept.storage_throughput) = rules::storage_defaults(kind, kept.allocated_storage_gb);
    }
    kept.iops = input.iops.or(kept.iops);
    kept.storage_throughput = input.storage_throughput.or(kept.storage_throughput);
    let Some(most) = input.max_allocated_storage else { return Ok(()) };
    if most < kept.allocated_storage_gb {
        return Err(Error::Combination("MaxAllocatedStorage must not be less than AllocatedStorage".into()));
    }
    // The allocated size as the maximum turns the growth of the storage off:
    // https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html
    kept.max_allocated_storage_gb = Some(most).filter(|most| *most > kept.allocated_storage_gb);
    Ok(())
}

fn password(cx: &mut Cx<'_>, row: &mut Instance, input: &Input) -> Result<(), Error> {
    let secret = row.credentials.secret_arn.clone();
    let username = row.credentials.username.clone();
    match (&input.master_user_password, input.manage_master_user_password) {
        (Some(_), Some(true)) => {
            let what = "You can't specify MasterUserPassword when you specify ManageMasterUserPassword.";
            return Err(Error::Combination(what.into()));
        }
        (Some(_), None) if secret.is_some() => {
            let what =
                "You can't change the password of an instance whose password is managed in Secrets Manager.";
            return Err(Error::Combination(what.into()));
        }
        (None, Some(false)) if secret.is_some() => {
            return Err(Error::Combination("Set MasterUserPassword to stop managing the password.".into()));
        }
        (Some(password), _) => {
            rules::password(password)?;
            row.credentials.password = password.clone();
            // The password is no longer managed, so its secret would hold an old value.
            if let Some(arn) = row.credentials.secret_arn.take() {
                provision::delete_secret(cx, &arn)?;
            }
        }
        (None, Some(true)) if secret.is_none() => {
            let arn = rules::arn(cx, "db", &row.id);
            let made = provision::managed_password(cx, &username, &row.resource_id, &arn)?;
            row.credentials.password = made.0;
            row.credentials.secret_arn = Some(made.1);
        }
        _ => match secret.filter(|_| input.rotate_master_user_password == Some(true)) {
            Some(arn) => row.credentials.password = provision::rotate_password(cx, &arn, &username)?,
            None if input.rotate_master_user_password == Some(true) => {
                return Err(Error::Combination(
                    "RotateMasterUserPassword requires a managed password.".into(),
                ));
            }
            None => return Ok(()),
        },
    }
    row.revision += 1;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::tests::Fixture;
    use serde_json::json;

    #[tokio::test]
    async fn renamed_instance_keeps_its_database_and_moves_its_name() {
        let fixture = Fixture::new();
        let cloud = &fixture.cloud;
        let before = cloud.instance("old", true);
        cloud.instance("taken", false);
        let rename = |to: &str| json!({"DBInstanceIdentifier": "old", "NewDBInstanceIdentifier": to});
        assert_eq!(cloud.error("ModifyDBInstance", rename("new")).code, "InvalidDBInstanceState");
        fixture.settle().await;
        assert_eq!(cloud.error("ModifyDBInstance", rename("taken")).code, "DBInstanceAlreadyExists");
        assert_eq!(cloud.error("ModifyDBInstance", rename("a--b")).code, "InvalidParameterValue");
        let made = cloud.ok("ModifyDBInstance", rename("New"));
        assert_eq!(made["DBInstance"]["DBInstanceStatus"], "rebooting");
        fixture.settle().await;
        assert_eq!(
            (fixture.status("new"), fixture.status("old")),
            ("available".into(), "DBInstanceNotFound".into())
        );
        let after = cloud.store.read().get::<Instance>("new").unwrap();
        assert_eq!((&after.resource_id, &after.nodes), (&before.resource_id, &before.nodes));
        assert_eq!(fixture.databases().await, 2);
        let names: Vec<String> = cloud.store.read().scan::<RdsEndpoint>().map(|e| e.name.clone()).collect();
        assert!(
            names.len() == 2 && names[0].starts_with("new.") && names[1].starts_with("taken."),
            "{names:?}"
        );
        // The old name is free.
        cloud.instance("old", false);
        fixture.settle().await;
        assert_eq!(fixture.databases().await, 3);
        for id in ["new", "old", "taken"] {
            cloud.ok("DeleteDBInstance", json!({"DBInstanceIdentifier": id, "SkipFinalSnapshot": true}));
        }
        fixture.settle().await;
        assert_eq!((fixture.databases().await, cloud.interfaces()), (0, 0));
    }

    #[tokio::test]
    async fn port_changes_with_the_rules_between_the_nodes() {
        let fixture = Fixture::new();
        let cloud = &fixture.cloud;
        let before = cloud.instance("db", true);
        fixture.settle().await;
        let port = |port: i32| json!({"DBInstanceIdentifier": "db", "DBPortNumber": port});
        assert_eq!(cloud.error("ModifyDBInstance", port(80)).code, "InvalidParameterValue");
        let made = cloud.ok("ModifyDBInstance", port(6000));
        assert_eq!(made["DBInstance"]["DBInstanceStatus"], "modifying");
        assert_eq!(cloud.error("ModifyDBInstance", port(6001)).code, "InvalidDBInstanceState");
        fixture.settle().await;
        let found = cloud.ok("DescribeDBInstances", json!({}));
        assert_eq!(found["DBInstances"][0]["Endpoint"]["Port"], 6000);
        let after = cloud.store.read().get::<Instance>("db").unwrap();
        assert_ne!(after.replication_group, before.replication_group);
    }

    #[test]
    fn minor_versions_are_recorded_and_major_ones_refused() {
        let cloud = crate::testing::FakeCloud::new();
        crate::engines::store_installed(&cloud.store, &[15, 16]).unwrap();
        cloud.create("db", json!({"EngineVersion": "15.4"})).unwrap();
        let version = |text: &str| json!({"DBInstanceIdentifier": "db", "EngineVersion": text});
        let made = cloud.ok("ModifyDBInstance", version("15.14"));
        assert_eq!(made["DBInstance"]["EngineVersion"], "15.14");
        for (text, code) in [
            ("15.4", "InvalidParameterCombination"),
            ("15.99", "InvalidParameterValue"),
            ("16.2", "NotImplemented"),
            ("14.2", "InvalidParameterValue"),
        ] {
            assert_eq!(cloud.error("ModifyDBInstance", version(text)).code, code, "{text}");
        }
    }
}

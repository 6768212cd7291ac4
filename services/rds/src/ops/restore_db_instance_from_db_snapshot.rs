//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceFromDBSnapshot.html>

use super::create_db_instance::{CERTIFICATE, port};
use crate::{
    Error, engines, events, provision, rules,
    shapes::{self, InstanceAnswer},
    windows,
};
use escale_base::{Tag, Wire};
use escale_service::{Also, Cx, Operation};
use escale_tables::{
    ec2::GroupId,
    rds::{Credentials, Instance, Recorded, Snapshot, SnapshotSeen},
};

pub(crate) struct RestoreDBInstanceFromDBSnapshot;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DBInstanceIdentifier")]
    id: String,
    #[wire("DBSnapshotIdentifier")]
    snapshot: String,
    #[wire("DBInstanceClass")]
    class: Option<String>,
    port: Option<i32>,
    availability_zone: Option<String>,
    #[wire("DBSubnetGroupName")]
    subnet_group: Option<String>,
    #[wire("MultiAZ")]
    multi_az: Option<bool>,
    publicly_accessible: Option<bool>,
    auto_minor_version_upgrade: Option<bool>,
    license_model: Option<String>,
    engine: Option<String>,
    iops: Option<i32>,
    storage_throughput: Option<i32>,
    tags: Vec<Tag>,
    storage_type: Option<String>,
    vpc_security_group_ids: Vec<GroupId>,
    copy_tags_to_snapshot: Option<bool>,
    #[wire("DBParameterGroupName")]
    parameter_group: Option<String>,
    deletion_protection: Option<bool>,
    allocated_storage: Option<i32>,
    backup_retention_period: Option<i32>,
    preferred_backup_window: Option<String>,
    #[wire("CACertificateIdentifier")]
    ca_certificate: Option<String>,
    manage_master_user_password: Option<bool>,
}

impl Operation for RestoreDBInstanceFromDBSnapshot {
    type Input = Input;
    type Output = InstanceAnswer;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, "db", &input.id), rules::arn(cx, "snapshot", &input.snapshot)]
    }

    fn also(input: &Input, cx: &Cx<'_>) -> Vec<Also> {
        rules::managed_secret(cx, input.manage_master_user_password, None)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<InstanceAnswer, Error> {
        let id = rules::identifier("DBInstanceIdentifier", &input.id, 63)?;
        if cx.tx.has::<Instance>(&id) {
            return Err(Error::InstanceExists(id));
        }
        let from = rules::snapshot(cx.tx, &input.snapshot)?;
        if !cx.tx.has::<SnapshotSeen>(&from.id) {
            return Err(Error::SnapshotState(format!("The snapshot {} is not available yet.", from.id)));
        }
        rules::refuse_public(input.publicly_accessible)?;
        let engine = input.engine.as_deref().unwrap_or("postgres");
        let version = engines::version(cx.tx, engine, Some(&from.engine_version))?;
        let port = port(input.port.or(Some(i32::from(from.port))))?;
        let recorded = recorded(&input, &from)?;
        let resource_id = provision::resource_id();
        let new = provision::NewInstance {
            credentials: credentials(cx, &input, &from, &id, &resource_id)?,
            id,
            resource_id,
            version,
            db_name: from.db_name.clone(),
            place: provision::PlaceRequest {
                subnet_group: input.subnet_group.as_deref(),
                groups: input.vpc_security_group_ids,
                zone: input.availability_zone.as_deref(),
                multi_az: input.multi_az.unwrap_or(false),
                port,
            },
            parameter_group: input.parameter_group.as_deref(),
            restore_from: Some(from.copy.clone()),
            recover: None,
            replica_of: None,
            deletion_protection: input.deletion_protection,
            backup_retention_period: input.backup_retention_period,
            copy_tags_to_snapshot: input.copy_tags_to_snapshot,
            recorded,
            tags: input.tags,
        };
        let row = provision::instance(cx, new)?;
        let message = format!("Restoring from snapshot {}", from.id);
        events::instance(cx.tx, cx.config, cx.now, &row.id, "restoration", &message);
        Ok(InstanceAnswer { db_instance: shapes::instance(cx, &row) })
    }
}

fn recorded(input: &Input, from: &Snapshot) -> Result<Recorded, Error> {
    if let Some(model) = input.license_model.as_deref().filter(|m| *m != "postgresql-license") {
        return Err(Error::Value(format!("Invalid license model '{model}' for engine 'postgres'.")));
    }
    let storage_type = input.storage_type.clone().unwrap_or_else(|| from.storage_type.clone());
    let allocated = input.allocated_storage.unwrap_or(from.allocated_storage_gb);
    let (iops, throughput) = rules::storage_defaults(&storage_type, allocated);
    let (backup_window, maintenance_window) = windows::both(input.preferred_backup_window.as_deref(), None)?;
    Ok(Recorded {
        class: input.class.clone().unwrap_or_else(|| "db.t4g.micro".into()),
        allocated_storage_gb: allocated,
        max_allocated_storage_gb: None,
        storage_type,
        iops: input.iops.or(iops),
        storage_throughput: input.storage_throughput.or(throughput),
        storage_encrypted: from.encrypted,
        kms_key_id: None,
        backup_window,
        maintenance_window,
        auto_minor_version_upgrade: input.auto_minor_version_upgrade.unwrap_or(true),
        ca_certificate: input.ca_certificate.clone().unwrap_or_else(|| CERTIFICATE.into()),
        option_group: None,
        performance_insights: false,
        log_exports: vec![],
        lifecycle_support: Default::default(),
        secret_kms_key_id: None,
    })
}

/// The credentials of the snapshot, or a new password in a secret.
fn credentials(
    cx: &mut Cx<'_>,
    input: &Input,
    from: &Snapshot,
    id: &str,
    resource_id: &str,
) -> Result<Credentials, Error> {
    let username = from.master_username.clone();
    if input.manage_master_user_password != Some(true) {
        return Ok(Credentials { username, password: from.master_password.clone(), secret_arn: None });
    }
    let arn = rules::arn(cx, "db", id);
    let (password, secret) = provision::managed_password(cx, &username, resource_id, &arn)?;
    Ok(Credentials { username, password, secret_arn: Some(secret) })
}

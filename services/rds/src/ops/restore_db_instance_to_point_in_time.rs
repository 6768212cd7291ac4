//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceToPointInTime.html>

use super::create_db_instance::{check_class, check_storage_type, log_exports, port};
use crate::{
    Error, engines, events, provision, reconcile, rules,
    shapes::{self, InstanceAnswer},
    windows,
};
use escale_base::{AwsError, Tag, Timestamp, Wire};
use escale_service::{Also, Cx, Operation};
use escale_store::Image;
use escale_tables::{
    ec2::GroupId,
    rds::{Credentials, Instance, InstanceSeen, Recorded, Recover, Snapshot, SnapshotKind, SnapshotSeen},
};
use std::sync::Arc;

pub(crate) struct RestoreDBInstanceToPointInTime;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("SourceDBInstanceIdentifier")]
    source: Option<String>,
    #[wire("TargetDBInstanceIdentifier")]
    target: String,
    restore_time: Option<Timestamp>,
    use_latest_restorable_time: Option<bool>,
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
    max_allocated_storage: Option<i32>,
    backup_retention_period: Option<i32>,
    preferred_backup_window: Option<String>,
    enable_cloudwatch_logs_exports: Vec<String>,
    #[wire("CACertificateIdentifier")]
    ca_certificate: Option<String>,
    manage_master_user_password: Option<bool>,
}

impl Operation for RestoreDBInstanceToPointInTime {
    type Input = Input;
    type Output = InstanceAnswer;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        let source = input.source.as_deref().unwrap_or("*");
        vec![rules::arn(cx, "db", source), rules::arn(cx, "db", &input.target)]
    }

    fn also(input: &Input, cx: &Cx<'_>) -> Vec<Also> {
        rules::managed_secret(cx, input.manage_master_user_password, None)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<InstanceAnswer, Error> {
        let id = rules::identifier("TargetDBInstanceIdentifier", &input.target, 63)?;
        if cx.tx.has::<Instance>(&id) {
            return Err(Error::InstanceExists(id));
        }
        let source = input.source.as_deref().ok_or_else(|| {
            Error::Combination("The parameter SourceDBInstanceIdentifier must be provided.".into())
        })?;
        let source = rules::instance(cx.tx, source)?;
        if source.deletion.is_some() {
            return Err(Error::InstanceState(format!("Instance {} is being deleted.", source.id)));
        }
        refuse_unsupported(&input)?;
        let engine = input.engine.as_deref().unwrap_or("postgres");
        let version = engines::version(cx.tx, engine, Some(&source.engine_version))?;
        let until = time(cx.tx, &source, &input)?;
        let base = base(cx.tx, &source, until)?;
        let port = port(input.port.or(Some(i32::from(source.port))))?;
        let recorded = recorded(&input, &source)?;
        let resource_id = provision::resource_id();
        let new = provision::NewInstance {
            credentials: credentials(cx, &input, &source, &id, &resource_id)?,
            id,
            resource_id,
            version,
            db_name: source.db_name.clone(),
            place: provision::PlaceRequest {
                subnet_group: input.subnet_group.as_deref(),
                groups: input.vpc_security_group_ids,
                zone: input.availability_zone.as_deref(),
                multi_az: input.multi_az.unwrap_or(false),
                port,
            },
            parameter_group: input.parameter_group.as_deref(),
            restore_from: Some(base.copy.clone()),
            recover: Some(Recover { database: reconcile::plane_name(&source), until }),
            replica_of: None,
            deletion_protection: input.deletion_protection,
            backup_retention_period: input.backup_retention_period.or(Some(source.backup_retention_days)),
            copy_tags_to_snapshot: input.copy_tags_to_snapshot.or(Some(source.copy_tags_to_snapshot)),
            recorded,
            tags: input.tags,
        };
        let row = provision::instance(cx, new)?;
        let message = format!("Restoring from DB instance {} to {}", source.id, until.iso8601());
        events::instance(cx.tx, cx.config, cx.now, &row.id, "restoration", &message);
        Ok(InstanceAnswer { db_instance: shapes::instance(cx, &row) })
    }
}

fn refuse_unsupported(input: &Input) -> Result<(), Error> {
    rules::refuse_public(input.publicly_accessible)?;
    if let Some(model) = input.license_model.as_deref().filter(|m| *m != "postgresql-license") {
        return Err(Error::Value(format!("Invalid license model '{model}' for engine 'postgres'.")));
    }
    input.class.as_deref().map_or(Ok(()), check_class)?;
    input.storage_type.as_deref().map_or(Ok(()), check_storage_type)
}

/// The time to restore to, if the instance has every commit until then.
fn time(image: &Image, source: &Instance, input: &Input) -> Result<Timestamp, Error> {
    let disabled = || Error::NoPointInTime(source.id.clone());
    if source.backup_retention_days == 0 {
        return Err(disabled());
    }
    let latest = image.get::<InstanceSeen>(&source.id).and_then(|s| s.restorable).ok_or_else(disabled)?;
    let until = match (input.restore_time, input.use_latest_restorable_time == Some(true)) {
        (Some(_), true) => {
            let what = "RestoreTime and UseLatestRestorableTime cannot be specified together.";
            return Err(Error::Combination(what.into()));
        }
        (None, false) => {
            let what = "Either RestoreTime or UseLatestRestorableTime must be specified.";
            return Err(Error::Combination(what.into()));
        }
        (None, true) => latest,
        (Some(time), false) => time,
    };
    let earliest = bases(image, source).map(|(at, _)| at).min().ok_or_else(disabled)?;
    let cannot = |bound: &str, at: Timestamp| {
        let what = format!("The specified instance cannot be restored to a time {bound} {}.", at.iso8601());
        Err(Error::Value(what))
    };
    match until {
        until if until > latest => cannot("later than", latest),
        until if until < earliest => cannot("earlier than", earliest),
        until => Ok(until),
    }
}

/// The snapshots that the archive continues, with the times of their data: automated ones, and manual ones after the first of
/// those.
pub(super) fn bases(image: &Image, source: &Instance) -> impl Iterator<Item = (Timestamp, Arc<Snapshot>)> {
    let all: Vec<(Timestamp, Arc<Snapshot>)> = image
        .scan::<Snapshot>()
        .filter(|s| s.resource_id == source.resource_id && s.copy_of.is_none() && !s.deleted)
        .filter_map(|s| Some((image.get::<SnapshotSeen>(&s.id)?.at, s)))
        .collect();
    let automated = all.iter().filter(|(_, s)| s.kind == SnapshotKind::Automated).map(|(at, _)| *at).min();
    all.into_iter().filter(move |(at, _)| automated.is_some_and(|first| *at >= first))
}

/// The newest snapshot before the time.
fn base(image: &Image, source: &Instance, until: Timestamp) -> Result<Arc<Snapshot>, Error> {
    let before = bases(image, source).filter(|(at, _)| *at <= until);
    let newest = before.max_by_key(|(at, _)| *at).map(|(_, snapshot)| snapshot);
    newest.ok_or_else(|| Error::NoPointInTime(source.id.clone()))
}

fn recorded(input: &Input, source: &Instance) -> Result<Recorded, Error> {
    let old = &source.recorded;
    let allocated = input.allocated_storage.unwrap_or(old.allocated_storage_gb);
    if allocated < old.allocated_storage_gb {
        let what = "Requested storage size must not be less than that of the source.";
        return Err(Error::Combination(what.into()));
    }
    let storage_type = input.storage_type.clone().unwrap_or_else(|| old.storage_type.clone());
    let (iops, throughput) = rules::storage_defaults(&storage_type, allocated);
    let window = input.preferred_backup_window.as_deref();
    let (backup_window, maintenance_window) =
        windows::both(window.or(Some(&old.backup_window)), Some(&old.maintenance_window))?;
    let exports = match &input.enable_cloudwatch_logs_exports[..] {
        [] => old.log_exports.clone(),
        named => log_exports(named)?,
    };
    Ok(Recorded {
        class: input.class.clone().unwrap_or_else(|| old.class.clone()),
        allocated_storage_gb: allocated,
        max_allocated_storage_gb: input.max_allocated_storage.or(old.max_allocated_storage_gb),
        storage_type,
        iops: input.iops.or(iops),
        storage_throughput: input.storage_throughput.or(throughput),
        backup_window,
        maintenance_window,
        auto_minor_version_upgrade: input
            .auto_minor_version_upgrade
            .unwrap_or(old.auto_minor_version_upgrade),
        ca_certificate: input.ca_certificate.clone().unwrap_or_else(|| old.ca_certificate.clone()),
        log_exports: exports,
        secret_kms_key_id: None,
        ..old.clone()
    })
}

/// The present credentials of the source, or a new password in a secret.
fn credentials(
    cx: &mut Cx<'_>,
    input: &Input,
    source: &Instance,
    id: &str,
    resource_id: &str,
) -> Result<Credentials, AwsError> {
    let username = source.credentials.username.clone();
    if input.manage_master_user_password != Some(true) {
        let password = source.credentials.password.clone();
        return Ok(Credentials { username, password, secret_arn: None });
    }
    let arn = rules::arn(cx, "db", id);
    let (password, secret) = provision::managed_password(cx, &username, resource_id, &arn)?;
    Ok(Credentials { username, password, secret_arn: Some(secret) })
}

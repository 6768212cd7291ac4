//! Shapes that several operations return.

use crate::{replicas, rules, status};
use escale_base::{Tag, Timestamp, Wire};
use escale_service::Cx;
use escale_tables::{
    ec2::Subnet,
    rds::{
        Instance, InstanceSeen, LifecycleSupport, LogExport, ParameterGroup, Snapshot, SnapshotSeen,
        SubnetGroup,
    },
};

#[derive(Debug, Wire)]
pub(crate) struct InstanceAnswer {
    #[wire("DBInstance")]
    pub db_instance: InstanceShape,
}

#[derive(Debug, Wire)]
pub(crate) struct InstanceShape {
    #[wire("DBInstanceIdentifier")]
    pub id: String,
    #[wire("DBInstanceClass")]
    pub class: String,
    pub engine: &'static str,
    #[wire("DBInstanceStatus")]
    pub status: status::Status,
    pub master_username: String,
    #[wire("DBName")]
    pub db_name: Option<String>,
    pub endpoint: Option<EndpointShape>,
    pub allocated_storage: i32,
    pub instance_create_time: Timestamp,
    pub latest_restorable_time: Option<Timestamp>,
    pub automatic_restart_time: Option<Timestamp>,
    pub preferred_backup_window: String,
    pub backup_retention_period: i32,
    pub vpc_security_groups: Vec<GroupShape>,
    #[wire("DBParameterGroups")]
    pub parameter_groups: Vec<ParameterStatus>,
    pub availability_zone: Option<String>,
    #[wire("DBSubnetGroup")]
    pub subnet_group: Option<SubnetGroupShape>,
    pub preferred_maintenance_window: String,
    pub pending_modified_values: Pending,
    #[wire("MultiAZ")]
    pub multi_az: bool,
    pub engine_version: String,
    pub auto_minor_version_upgrade: bool,
    #[wire("ReadReplicaSourceDBInstanceIdentifier")]
    pub read_replica_source: Option<String>,
    #[wire("ReadReplicaDBInstanceIdentifiers")]
    pub read_replicas: Vec<String>,
    pub license_model: &'static str,
    pub iops: Option<i32>,
    pub storage_throughput: Option<i32>,
    pub secondary_availability_zone: Option<String>,
    pub publicly_accessible: bool,
    pub status_infos: Vec<StatusInfo>,
    pub storage_type: String,
    #[wire("DbInstancePort")]
    pub db_instance_port: i32,
    pub storage_encrypted: bool,
    pub kms_key_id: Option<String>,
    pub dbi_resource_id: String,
    #[wire("CACertificateIdentifier")]
    pub ca_certificate_identifier: String,
    pub copy_tags_to_snapshot: bool,
    pub monitoring_interval: i32,
    #[wire("DBInstanceArn")]
    pub arn: String,
    #[wire("IAMDatabaseAuthenticationEnabled")]
    pub iam_database_authentication_enabled: bool,
    pub performance_insights_enabled: bool,
    pub enabled_cloudwatch_logs_exports: Vec<LogExport>,
    pub deletion_protection: bool,
    pub max_allocated_storage: Option<i32>,
    pub tag_list: Vec<Tag>,
    pub network_type: &'static str,
    pub master_user_secret: Option<MasterSecret>,
    pub engine_lifecycle_support: LifecycleSupport,
}

#[derive(Debug, Wire)]
pub(crate) struct EndpointShape {
    pub address: String,
    pub port: i32,
    pub hosted_zone_id: &'static str,
}

#[derive(Debug, Wire)]
pub(crate) struct GroupShape {
    pub vpc_security_group_id: String,
    pub status: &'static str,
}

#[derive(Debug, Wire)]
pub(crate) struct ParameterStatus {
    #[wire("DBParameterGroupName")]
    pub name: String,
    pub parameter_apply_status: &'static str,
}

#[derive(Debug, Wire)]
pub(crate) struct Pending {
    #[wire("MultiAZ")]
    pub multi_az: Option<bool>,
}

#[derive(Debug, Wire)]
pub(crate) struct StatusInfo {
    pub status_type: &'static str,
    pub normal: bool,
    pub status: String,
    pub message: String,
}

#[derive(Debug, Wire)]
pub(crate) struct MasterSecret {
    pub secret_arn: String,
    pub secret_status: &'static str,
    pub kms_key_id: Option<String>,
}

pub(crate) fn instance(cx: &Cx<'_>, row: &Instance) -> InstanceShape {
    let seen = cx.tx.get::<InstanceSeen>(&row.id);
    let seen = seen.as_deref();
    let created = seen.filter(|s| s.enacted.is_some());
    let primary = created.and_then(|s| row.nodes.iter().find(|n| n.name == s.primary)).or(row.nodes.first());
    let observed_multi_az = created.map_or(row.multi_az, |s| s.nodes.len() > 1);
    let kept = row.recorded.clone();
    InstanceShape {
        id: row.id.clone(),
        class: kept.class,
        engine: "postgres",
        status: status::instance(cx.tx, row),
        master_username: row.credentials.username.clone(),
        db_name: row.db_name.clone(),
        endpoint: created.map(|_| EndpointShape {
            address: rules::endpoint(cx.config, &row.id),
            port: i32::from(row.port),
            // AWS has one hosted zone per region. Here the VPC's own resolver serves the name.
            hosted_zone_id: "ZRDSESCALEINTERNAL",
        }),
        allocated_storage: kept.allocated_storage_gb,
        instance_create_time: row.created,
        automatic_restart_time: status::restarts(row),
        latest_restorable_time: seen.and_then(|s| s.restorable),
        preferred_backup_window: kept.backup_window,
        backup_retention_period: row.backup_retention_days,
        vpc_security_groups: groups(row),
        parameter_groups: vec![ParameterStatus {
            name: row.parameter_group.clone(),
            parameter_apply_status: apply_status(cx, row, seen),
        }],
        availability_zone: primary.map(|n| n.zone.clone()),
        subnet_group: cx.tx.get::<SubnetGroup>(&row.subnet_group).map(|g| subnet_group(cx, &g)),
        preferred_maintenance_window: kept.maintenance_window,
        pending_modified_values: Pending {
            multi_az: Some(row.multi_az).filter(|wish| *wish != observed_multi_az),
        },
        multi_az: observed_multi_az,
        engine_version: row.engine_version.clone(),
        auto_minor_version_upgrade: kept.auto_minor_version_upgrade,
        read_replica_source: replicas::source(cx.tx, row).map(|s| s.id.clone()),
        read_replicas: replicas::of(cx.tx, row).iter().map(|r| r.id.clone()).collect(),
        license_model: "postgresql-license",
        iops: kept.iops,
        storage_throughput: kept.storage_throughput,
        secondary_availability_zone: seen.and_then(|s| status::standby(row, s)).map(|n| n.zone.clone()),
        publicly_accessible: false,
        status_infos: status_infos(row, seen),
        storage_type: kept.storage_type,
        db_instance_port: 0,
        storage_encrypted: kept.storage_encrypted,
        kms_key_id: kept.kms_key_id,
        dbi_resource_id: row.resource_id.clone(),
        ca_certificate_identifier: kept.ca_certificate,
        copy_tags_to_snapshot: row.copy_tags_to_snapshot,
        monitoring_interval: 0,
        arn: rules::arn(cx, "db", &row.id),
        iam_database_authentication_enabled: false,
        performance_insights_enabled: kept.performance_insights,
        enabled_cloudwatch_logs_exports: kept.log_exports,
        deletion_protection: row.deletion_protection,
        max_allocated_storage: kept.max_allocated_storage_gb,
        tag_list: row.tags.clone(),
        network_type: "IPV4",
        master_user_secret: master_secret(row),
        engine_lifecycle_support: kept.lifecycle_support,
    }
}

fn groups(row: &Instance) -> Vec<GroupShape> {
    let group = |g: &_| GroupShape { vpc_security_group_id: ToString::to_string(g), status: "active" };
    row.security_groups.iter().map(group).collect()
}

fn master_secret(row: &Instance) -> Option<MasterSecret> {
    let secret_arn = row.credentials.secret_arn.clone()?;
    let kms_key_id = row.recorded.secret_kms_key_id.clone();
    Some(MasterSecret { secret_arn, secret_status: "active", kms_key_id })
}

fn apply_status(cx: &Cx<'_>, row: &Instance, seen: Option<&InstanceSeen>) -> &'static str {
    let current = crate::reconcile::fingerprint(cx.tx, row).ok();
    match seen {
        Some(seen) if !seen.pending_restart.is_empty() => "pending-reboot",
        Some(seen) if seen.enacted.is_some() && seen.enacted == current => "in-sync",
        _ => "applying",
    }
}

fn status_infos(row: &Instance, seen: Option<&InstanceSeen>) -> Vec<StatusInfo> {
    let mut infos = Vec::new();
    let Some(seen) = seen else { return infos };
    if let Some((normal, status, message)) = status::replication(seen) {
        let status_type = "standby replication";
        infos.push(StatusInfo { status_type, normal, status: status.into(), message: message.into() });
    }
    if let Some((normal, status, message)) = replicas::replication(row, seen) {
        let (status_type, status) = ("read replication", status.to_owned());
        infos.push(StatusInfo { status_type, normal, status, message });
        return infos;
    }
    if let Some(error) = &seen.error {
        let (status, message) = ("error".into(), error.clone());
        infos.push(StatusInfo { status_type: "instance", normal: false, status, message });
    }
    infos
}

#[derive(Debug, Wire)]
pub(crate) struct SubnetGroupShape {
    #[wire("DBSubnetGroupName")]
    pub name: String,
    #[wire("DBSubnetGroupDescription")]
    pub description: String,
    pub vpc_id: String,
    pub subnet_group_status: &'static str,
    pub subnets: Vec<SubnetShape>,
    #[wire("DBSubnetGroupArn")]
    pub arn: String,
    pub supported_network_types: Vec<&'static str>,
}

#[derive(Debug, Wire)]
pub(crate) struct SubnetShape {
    pub subnet_identifier: String,
    pub subnet_availability_zone: Option<ZoneShape>,
    pub subnet_status: &'static str,
}

#[derive(Debug, Wire)]
pub(crate) struct ZoneShape {
    pub name: String,
}

pub(crate) fn subnet_group(cx: &Cx<'_>, row: &SubnetGroup) -> SubnetGroupShape {
    let subnets = row.subnets.iter().map(|id| {
        let subnet = cx.tx.get::<Subnet>(id.as_str());
        SubnetShape {
            subnet_identifier: id.to_string(),
            subnet_status: if subnet.is_some() { "Active" } else { "Deleted" },
            subnet_availability_zone: subnet.map(|s| ZoneShape { name: s.zone.to_string() }),
        }
    });
    SubnetGroupShape {
        name: row.name.clone(),
        description: row.description.clone(),
        vpc_id: row.vpc.to_string(),
        subnet_group_status: "Complete",
        subnets: subnets.collect(),
        arn: rules::arn(cx, "subgrp", &row.name),
        supported_network_types: vec!["IPV4"],
    }
}

#[derive(Debug, Wire)]
pub(crate) struct ParameterGroupShape {
    #[wire("DBParameterGroupName")]
    pub name: String,
    #[wire("DBParameterGroupFamily")]
    pub family: String,
    pub description: String,
    #[wire("DBParameterGroupArn")]
    pub arn: String,
}

pub(crate) fn parameter_group(cx: &Cx<'_>, row: &ParameterGroup) -> ParameterGroupShape {
    ParameterGroupShape {
        name: row.name.clone(),
        family: row.family.clone(),
        description: row.description.clone(),
        arn: rules::arn(cx, "pg", &row.name),
    }
}

#[derive(Debug, Wire)]
pub(crate) struct SnapshotAnswer {
    #[wire("DBSnapshot")]
    pub db_snapshot: SnapshotShape,
}

#[derive(Debug, Wire)]
pub(crate) struct SnapshotShape {
    #[wire("DBSnapshotIdentifier")]
    pub id: String,
    #[wire("DBInstanceIdentifier")]
    pub instance: String,
    pub snapshot_create_time: Option<Timestamp>,
    pub original_snapshot_create_time: Option<Timestamp>,
    pub engine: &'static str,
    pub allocated_storage: i32,
    pub status: &'static str,
    pub port: i32,
    pub availability_zone: String,
    pub vpc_id: String,
    pub instance_create_time: Timestamp,
    pub master_username: String,
    pub engine_version: String,
    pub license_model: &'static str,
    pub snapshot_type: &'static str,
    pub percent_progress: i32,
    pub storage_type: String,
    pub encrypted: bool,
    #[wire("DBSnapshotArn")]
    pub arn: String,
    #[wire("IAMDatabaseAuthenticationEnabled")]
    pub iam_database_authentication_enabled: bool,
    pub dbi_resource_id: String,
    pub tag_list: Vec<Tag>,
}

pub(crate) fn snapshot(cx: &Cx<'_>, row: &Snapshot) -> SnapshotShape {
    let seen = cx.tx.get::<SnapshotSeen>(&row.id);
    SnapshotShape {
        id: row.id.clone(),
        instance: row.instance.clone(),
        snapshot_create_time: seen.as_ref().map(|s| s.at),
        original_snapshot_create_time: match &row.copy_of {
            Some(source) => Some(source.taken),
            None => seen.as_ref().map(|s| s.at),
        },
        engine: "postgres",
        allocated_storage: row.allocated_storage_gb,
        status: status::snapshot(cx.tx, row),
        port: i32::from(row.port),
        availability_zone: row.zone.clone(),
        vpc_id: row.vpc.to_string(),
        instance_create_time: row.instance_created,
        master_username: row.master_username.clone(),
        engine_version: row.engine_version.clone(),
        license_model: "postgresql-license",
        snapshot_type: row.kind.as_str(),
        percent_progress: if seen.is_some() { 100 } else { 0 },
        storage_type: row.storage_type.clone(),
        encrypted: row.encrypted,
        arn: rules::arn(cx, "snapshot", &row.id),
        iam_database_authentication_enabled: false,
        dbi_resource_id: row.resource_id.clone(),
        tag_list: row.tags.clone(),
    }
}

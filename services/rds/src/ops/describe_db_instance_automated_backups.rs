//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBInstanceAutomatedBackups.html>
//!
//! An instance with a retention of backups has one automated backup: its automated snapshots and the archive that continues them. It
//! goes with the instance, as `DeleteAutomatedBackups=false` is refused.

use super::restore_db_instance_to_point_in_time::bases;
use crate::{
    Error,
    filters::{self, Filter},
    rules,
    shapes::{self, InstanceShape},
};
use escale_base::{Tag, Timestamp, Wire};
use escale_service::{Cx, Operation};
use escale_tables::{
    ec2::VpcId,
    rds::{Instance, SubnetGroup},
};

pub(crate) struct DescribeDBInstanceAutomatedBackups;

#[derive(Wire)]
pub(crate) struct Input {
    dbi_resource_id: Option<String>,
    #[wire("DBInstanceIdentifier")]
    id: Option<String>,
    filters: Vec<Filter>,
    max_records: Option<usize>,
    marker: Option<String>,
    #[wire("DBInstanceAutomatedBackupsArn")]
    arn: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    marker: Option<String>,
    #[wire("DBInstanceAutomatedBackups")]
    backups: Vec<BackupShape>,
}

#[derive(Wire)]
struct BackupShape {
    #[wire("DBInstanceArn")]
    instance_arn: String,
    dbi_resource_id: String,
    region: String,
    #[wire("DBInstanceIdentifier")]
    id: String,
    restore_window: Option<RestoreWindow>,
    allocated_storage: i32,
    status: &'static str,
    port: i32,
    availability_zone: Option<String>,
    vpc_id: Option<VpcId>,
    instance_create_time: Timestamp,
    master_username: String,
    engine: &'static str,
    engine_version: String,
    license_model: &'static str,
    iops: Option<i32>,
    storage_throughput: Option<i32>,
    encrypted: bool,
    storage_type: String,
    kms_key_id: Option<String>,
    #[wire("IAMDatabaseAuthenticationEnabled")]
    iam_authentication: bool,
    backup_retention_period: i32,
    preferred_backup_window: String,
    #[wire("DBInstanceAutomatedBackupsArn")]
    arn: String,
    tag_list: Vec<Tag>,
}

#[derive(Wire)]
struct RestoreWindow {
    earliest_time: Timestamp,
    latest_time: Timestamp,
}

impl Operation for DescribeDBInstanceAutomatedBackups {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(_: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, "auto-backup", "*")]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        let (id, resource, arn) = (given(&input.id), given(&input.dbi_resource_id), given(&input.arn));
        let is_wanted = |backup: &BackupShape| {
            id.as_ref().is_none_or(|id| backup.id == id.to_ascii_lowercase())
                && resource.as_ref().is_none_or(|id| backup.dbi_resource_id == *id)
                && arn.as_ref().is_none_or(|arn| backup.arn == *arn)
        };
        let all = cx.tx.scan::<Instance>().filter(|row| row.backup_retention_days > 0);
        let all: Vec<BackupShape> = all.map(|row| backup(cx, &row)).filter(is_wanted).collect();
        if let Some(name) = id.or(resource).or(arn).filter(|_| all.is_empty()) {
            return Err(Error::NoAutomatedBackup(name));
        }
        let mut found = Vec::new();
        for backup in all {
            let values_of = |name: &str| match name {
                "status" => Some(vec![backup.status.to_owned()]),
                "db-instance-id" => Some(vec![backup.id.clone(), backup.instance_arn.clone()]),
                "dbi-resource-id" => Some(vec![backup.dbi_resource_id.clone()]),
                _ => None,
            };
            if filters::passes(&input.filters, values_of)? {
                found.push(backup);
            }
        }
        let page = filters::page(found, |b| b.id.clone(), input.marker.as_deref(), input.max_records)?;
        Ok(Output { marker: page.next, backups: page.items })
    }
}

fn backup(cx: &Cx<'_>, row: &Instance) -> BackupShape {
    let InstanceShape {
        arn: instance_arn,
        dbi_resource_id,
        latest_restorable_time,
        allocated_storage,
        availability_zone,
        instance_create_time,
        master_username,
        engine,
        engine_version,
        license_model,
        iops,
        storage_throughput,
        storage_encrypted,
        storage_type,
        kms_key_id,
        iam_database_authentication_enabled,
        backup_retention_period,
        preferred_backup_window,
        tag_list,
        ..
    } = shapes::instance(cx, row);
    let earliest = bases(cx.tx, row).map(|(at, _)| at).min();
    let restore_window = earliest
        .zip(latest_restorable_time)
        .map(|(earliest_time, latest_time)| RestoreWindow { earliest_time, latest_time });
    let of_instance = row.resource_id.trim_start_matches("db-");
    BackupShape {
        instance_arn,
        region: cx.config.region.clone(),
        id: row.id.clone(),
        status: if restore_window.is_some() { "active" } else { "creating" },
        restore_window,
        port: i32::from(row.port),
        vpc_id: cx.tx.get::<SubnetGroup>(&row.subnet_group).map(|group| group.vpc.clone()),
        encrypted: storage_encrypted,
        iam_authentication: iam_database_authentication_enabled,
        arn: rules::arn(cx, "auto-backup", &format!("ab-{of_instance}")),
        dbi_resource_id,
        allocated_storage,
        availability_zone,
        instance_create_time,
        master_username,
        engine,
        engine_version,
        license_model,
        iops,
        storage_throughput,
        storage_type,
        kms_key_id,
        backup_retention_period,
        preferred_backup_window,
        tag_list,
    }
}

//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html>

use super::create_db_instance::backup_window;
use crate::{
    Error, provision, rules,
    shapes::{self, InstanceAnswer},
    status::{self, Status},
};
use escale_base::{Secret, Wire};
use escale_requests::ec2::ModifyNetworkInterfaceAttribute;
use escale_service::{Also, Cx, Operation};
use escale_tables::{
    ec2::GroupId,
    rds::{Instance, InstanceSeen, Node},
};
use std::collections::BTreeSet;

pub(crate) struct ModifyDBInstance;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DBInstanceIdentifier")]
    id: String,
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
        rules::refuse_if(input.publicly_accessible == Some(true), "PubliclyAccessible=true")?;
        if input.engine_version.as_ref().is_some_and(|v| *v != row.engine_version) {
            rules::refuse_if(true, "Changing EngineVersion")?;
        }
        change_recorded(&mut row, &input)?;
        password(cx, &mut row, &input)?;
        if let Some(group) = &input.parameter_group {
            row.parameter_group = rules::parameter_group(cx.tx, group, row.major)?;
        }
        if !input.vpc_security_group_ids.is_empty() {
            security_groups(cx, &mut row, input.vpc_security_group_ids)?;
        }
        if let Some(multi_az) = input.multi_az.filter(|m| *m != row.multi_az) {
            if !matches!(status, Status::Available | Status::BackingUp) {
                let what = format!(
                    "Instance {} is {status}. MultiAZ can only be changed while it is available.",
                    row.id
                );
                return Err(Error::InstanceState(what));
            }
            change_zones(cx, &mut row, multi_az)?;
            row.revision += 1;
        }
        cx.tx.put(row.clone());
        Ok(InstanceAnswer { db_instance: shapes::instance(cx, &row) })
    }
}

/// Changes that the plane need not execute.
fn change_recorded(row: &mut Instance, input: &Input) -> Result<(), Error> {
    let set = |to: &mut i32, from: Option<i32>| *to = from.unwrap_or(*to);
    if input.allocated_storage.is_some_and(|gb| gb < row.recorded.allocated_storage_gb) {
        return Err(Error::Combination(
            "Requested storage size must not be less than the current one".into(),
        ));
    }
    let kept = &mut row.recorded;
    set(&mut kept.allocated_storage_gb, input.allocated_storage);
    kept.class = input.class.clone().unwrap_or_else(|| kept.class.clone());
    kept.iops = input.iops.or(kept.iops);
    kept.storage_throughput = input.storage_throughput.or(kept.storage_throughput);
    kept.storage_type = input.storage_type.clone().unwrap_or_else(|| kept.storage_type.clone());
    kept.max_allocated_storage_gb = input.max_allocated_storage.or(kept.max_allocated_storage_gb);
    kept.ca_certificate = input.ca_certificate.clone().unwrap_or_else(|| kept.ca_certificate.clone());
    if let Some(window) = &input.preferred_backup_window {
        kept.backup_window = backup_window(window)?;
    }
    if let Some(window) = &input.preferred_maintenance_window {
        kept.maintenance_window.clone_from(window);
    }
    if let Some(minor) = input.auto_minor_version_upgrade {
        kept.auto_minor_version_upgrade = minor;
    }
    if let Some(days) = input.backup_retention_period {
        row.backup_retention_days = rules::backup_retention(days)?;
    }
    row.copy_tags_to_snapshot = input.copy_tags_to_snapshot.unwrap_or(row.copy_tags_to_snapshot);
    row.deletion_protection = input.deletion_protection.unwrap_or(row.deletion_protection);
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

fn security_groups(cx: &mut Cx<'_>, row: &mut Instance, requested: Vec<GroupId>) -> Result<(), Error> {
    row.security_groups = rules::security_groups(cx.tx, &row.vpc, requested)?;
    set_interface_groups(cx, row)
}

/// Sets the instance's groups on all its interfaces.
fn set_interface_groups(cx: &mut Cx<'_>, row: &Instance) -> Result<(), Error> {
    let groups = provision::groups_of(row);
    for node in &row.nodes {
        let network_interface_id = node.interface.clone();
        let request = ModifyNetworkInterfaceAttribute { network_interface_id, groups: groups.clone() };
        cx.call_as(provision::PRINCIPAL, request)?;
    }
    Ok(())
}

/// Adds a standby, or removes the node that is not the primary.
fn change_zones(cx: &mut Cx<'_>, row: &mut Instance, multi_az: bool) -> Result<(), Error> {
    row.multi_az = multi_az;
    if multi_az {
        let group = rules::subnet_group(cx.tx, &row.subnet_group)?;
        let taken: BTreeSet<String> = row.nodes.iter().map(|n| n.zone.clone()).collect();
        let subnet = provision::subnet_outside(cx.tx, &group, &taken, None)?;
        if row.replication_group.is_none() {
            row.replication_group = Some(provision::replication_group(cx, &row.id, &row.vpc, row.port)?);
            set_interface_groups(cx, row)?;
        }
        row.nodes.push(provision::node(cx, &row.id, &subnet, &provision::groups_of(row))?);
        return Ok(());
    }
    // After a failover the primary is not the first node, so the observation decides which one stays.
    let primary = cx.tx.get::<InstanceSeen>(&row.id).map(|s| s.primary.clone());
    let (stay, leave): (Vec<Node>, Vec<Node>) =
        std::mem::take(&mut row.nodes).into_iter().partition(|n| Some(&n.name) == primary.as_ref());
    row.nodes = stay;
    // The interface of a removed node must exist until the plane has stopped its server.
    row.leaving.extend(leave);
    Ok(())
}

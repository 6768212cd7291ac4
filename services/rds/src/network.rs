//! Changes the network resources of an existing instance: its security groups, zones and port.

use crate::{Error, provision, replicas, rules};
use escale_requests::ec2::ModifyNetworkInterfaceAttribute;
use escale_service::Cx;
use escale_tables::{
    ec2::GroupId,
    rds::{Instance, InstanceSeen, Node},
};
use std::collections::BTreeSet;

pub(crate) fn security_groups(
    cx: &mut Cx<'_>,
    row: &mut Instance,
    requested: Vec<GroupId>,
) -> Result<(), Error> {
    row.security_groups = rules::security_groups(cx.tx, &row.vpc, requested)?;
    set_interface_groups(cx, row)
}

/// Sets the instance's groups on all its interfaces.
pub(crate) fn set_interface_groups(cx: &mut Cx<'_>, row: &Instance) -> Result<(), Error> {
    let groups = provision::groups_of(row);
    for node in &row.nodes {
        let network_interface_id = node.interface.clone();
        let request = ModifyNetworkInterfaceAttribute { network_interface_id, groups: groups.clone() };
        cx.call_as(provision::PRINCIPAL, request)?;
    }
    Ok(())
}

/// Adds a standby, or removes the node that is not the primary.
pub(crate) fn change_zones(cx: &mut Cx<'_>, row: &mut Instance, multi_az: bool) -> Result<(), Error> {
    row.multi_az = multi_az;
    if multi_az {
        let group = rules::subnet_group(cx.tx, &row.subnet_group)?;
        let taken: BTreeSet<String> = row.nodes.iter().map(|n| n.zone.clone()).collect();
        let subnet = provision::subnet_outside(cx.tx, &group, &taken, None)?;
        join_replication_group(cx, row)?;
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

/// The group in which the servers of the instance, and those of its replicas, reach each other. It is made when it is needed first.
pub(crate) fn join_replication_group(cx: &mut Cx<'_>, row: &mut Instance) -> Result<GroupId, Error> {
    if let Some(group) = &row.replication_group {
        return Ok(group.clone());
    }
    let group = provision::replication_group(cx, &row.id, &row.vpc, row.port)?;
    row.replication_group = Some(group.clone());
    set_interface_groups(cx, row)?;
    Ok(group)
}

/// The servers listen on another port after a restart. Those of a Multi-AZ instance reach each other through a group for the new
/// port.
pub(crate) fn change_port(cx: &mut Cx<'_>, row: &mut Instance, port: u16) -> Result<(), Error> {
    row.port = port;
    let Some(old) = row.replication_group.clone() else { return Ok(()) };
    row.replication_group = Some(provision::replication_group(cx, &row.id, &row.vpc, port)?);
    set_interface_groups(cx, row)?;
    for replica in replicas::of(cx.tx, row) {
        let mut replica = Instance::clone(&replica);
        if let Some((source, group)) = replica.replica_of.as_mut().zip(row.replication_group.clone()) {
            source.group = group;
        }
        set_interface_groups(cx, &replica)?;
        cx.tx.put(replica);
    }
    Ok(provision::delete_group(cx, &old)?)
}

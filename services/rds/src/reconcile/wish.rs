//! Builds the spec of a database for the plane from the rows of an instance.

use crate::{parameters, replicas};
use escale_postgres::{AdminRole, Archive, DatabaseSpec, NodeSpec, Recovery, Replica, Witness};
use escale_store::Image;
use escale_tables::{
    ec2::{InterfaceSeen, Subnet, VpcSeen},
    rds::{Instance, ParameterGroup},
};
use std::{collections::BTreeMap, net::Ipv4Addr, path::PathBuf, sync::Arc};

pub(crate) fn plane_name(instance: &Instance) -> String {
    instance.database()
}

/// A text that changes with the wish, without its secrets: the revision stands for the password. `Err` names the condition
/// that the wish waits for.
pub(crate) fn fingerprint(image: &Image, instance: &Instance) -> Result<String, String> {
    let state = if instance.running { "up" } else { STOPPED };
    let revision = instance.revision;
    let group = &instance.parameter_group;
    let parameters = image.get::<ParameterGroup>(group).map_or(0, |g| g.revision);
    let mut text = format!("{state}:{revision}:{group}@{parameters}");
    for (name, namespace) in namespaces(image, instance)? {
        text += &format!(":{name}={}", namespace.display());
    }
    if instance.backup_retention_days > 0 {
        text += ":archived";
    }
    let copies: Vec<String> = replicas(image, instance).map(|r| r.node).collect();
    if !copies.is_empty() {
        text += &format!(":replicas {}", copies.join(","));
    }
    match &instance.replica_of {
        Some(of) if of.promotion.is_some() => text += ":promoted",
        Some(of) => text += &format!(":of {}", of.database),
        None => {}
    }
    if let Some(source) = replicas::source(image, instance) {
        text += &format!(":{}", source.port);
    }
    Ok(text)
}

/// A commit can be restored at most about this long after it. AWS has five minutes:
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIT.html>
const ARCHIVE_SECS: u32 = 60;

const STOPPED: &str = "stopped";

/// Whether the enacted wish is a stopped instance.
pub(crate) fn is_stopped(fingerprint: &str) -> bool {
    fingerprint.starts_with(STOPPED)
}

/// Whether the wish has a node that the enacted one did not have. Names of nodes are never reused.
pub(crate) fn lacks_node(fingerprint: &str, instance: &Instance) -> bool {
    instance.nodes.iter().any(|n| !fingerprint.contains(&format!(":{}=", n.name)))
}

/// The network namespace of each node, once all interfaces are ready.
fn namespaces(image: &Image, instance: &Instance) -> Result<Vec<(String, PathBuf)>, String> {
    let one = |node: &escale_tables::rds::Node| {
        let seen: Option<Arc<InterfaceSeen>> = image.get(node.interface.as_str());
        let seen = seen.ok_or_else(|| {
            format!("the network interface {} in {} is not available yet", node.interface, node.zone)
        })?;
        Ok((node.name.clone(), seen.namespace.clone()))
    };
    instance.nodes.iter().map(one).collect()
}

/// The servers of the instance's replicas. One that is being promoted may need the source's data until that is done.
fn replicas(image: &Image, instance: &Instance) -> impl Iterator<Item = Replica> {
    let all = replicas::of(image, instance).into_iter().filter(|r| r.deletion.is_none());
    all.flat_map(|r| r.nodes.clone()).map(|n| Replica { node: n.name, address: n.address.into() })
}

/// The router of the VPC, under its address in the first node's subnet: every packet of another zone passes it.
fn witness(image: &Image, instance: &Instance) -> Option<Witness> {
    let namespace = image.get::<VpcSeen>(instance.vpc.as_str())?.router.clone()?;
    let subnet = image.get::<Subnet>(instance.nodes.first()?.subnet.as_str())?;
    let gateway = u32::from(subnet.cidr.network()) + 1;
    Some(Witness { namespace, address: Ipv4Addr::from(gateway).into() })
}

pub(crate) fn spec(image: &Image, instance: &Instance) -> Result<DatabaseSpec, String> {
    let namespaces: BTreeMap<String, PathBuf> = namespaces(image, instance)?.into_iter().collect();
    let nodes = instance.nodes.iter().map(|node| NodeSpec {
        name: node.name.clone(),
        namespace: namespaces.get(&node.name).cloned(),
        address: node.address.into(),
        zone: node.zone.clone(),
    });
    let group = image.get::<ParameterGroup>(&instance.parameter_group);
    let set = group.iter().flat_map(|g| g.parameters.iter());
    // PostgreSQL does not know this parameter of RDS.
    let set = set.filter(|(name, _)| *name != parameters::FORCE_SSL);
    Ok(DatabaseSpec {
        name: plane_name(instance),
        version: instance.major,
        nodes: nodes.collect(),
        port: instance.port,
        running: instance.running,
        synchronous: instance.multi_az,
        admin: AdminRole {
            name: instance.credentials.username.clone(),
            password: instance.credentials.password.clone(),
            group: Some("rds_superuser".into()),
        },
        initial_database: instance.db_name.clone(),
        parameters: set.map(|(name, value)| (name.clone(), value.clone())).collect(),
        tls: None,
        restore_from: instance.restore_from.clone(),
        recover: instance.recover.as_ref().map(|r| Recovery { database: r.database.clone(), until: r.until }),
        archive: (instance.backup_retention_days > 0).then_some(Archive { timeout_secs: ARCHIVE_SECS }),
        witness: witness(image, instance),
        source: instance.replica_of.as_ref().filter(|r| r.promotion.is_none()).map(|r| r.database.clone()),
        replicas: replicas(image, instance).collect(),
    })
}

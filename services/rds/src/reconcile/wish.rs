//! The rows of an instance as one specification for the plane.

use crate::parameters;
use escale_postgres::{AdminRole, DatabaseSpec, NodeSpec};
use escale_store::Image;
use escale_tables::{
    ec2::InterfaceSeen,
    rds::{Instance, ParameterGroup},
};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

/// Databases are named after the resource id, which no two instances ever share.
pub(crate) fn plane_name(instance: &Instance) -> String {
    instance.resource_id.to_ascii_lowercase()
}

/// Says whether two wishes are the same without holding them: a password is in the revision. `Err` says what is
/// being waited for.
pub(crate) fn fingerprint(image: &Image, instance: &Instance) -> Result<String, String> {
    let state = if instance.running { "up" } else { STOPPED };
    let revision = instance.revision;
    let group = &instance.parameter_group;
    let parameters = image.get::<ParameterGroup>(group).map_or(0, |g| g.revision);
    let mut text = format!("{state}:{revision}:{group}@{parameters}");
    for (name, namespace) in namespaces(image, instance)? {
        text += &format!(":{name}={}", namespace.display());
    }
    Ok(text)
}

const STOPPED: &str = "stopped";

/// Whether what was enacted is an instance at rest.
pub(crate) fn is_stopped(fingerprint: &str) -> bool {
    fingerprint.starts_with(STOPPED)
}

/// Whether what was enacted lacks a node that is wished: nodes are never given another's name.
pub(crate) fn lacks_node(fingerprint: &str, instance: &Instance) -> bool {
    instance.nodes.iter().any(|n| !fingerprint.contains(&format!(":{}=", n.name)))
}

/// The network namespace of each node, once all stand.
fn namespaces(image: &Image, instance: &Instance) -> Result<Vec<(String, PathBuf)>, String> {
    let one = |node: &escale_tables::rds::Node| {
        let seen: Option<Arc<InterfaceSeen>> = image.get(node.interface.as_str());
        let seen =
            seen.ok_or_else(|| format!("the network interface {} in {}", node.interface, node.zone))?;
        Ok((node.name.clone(), seen.namespace.clone()))
    };
    instance.nodes.iter().map(one).collect()
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
    // What begins with `rds.` is for RDS, not for the server.
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
    })
}

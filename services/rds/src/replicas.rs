//! Read replicas: who follows whom, and how a replica becomes an independent instance.

use crate::{Error, events, network, reconcile::plane_name};
use escale_base::AwsError;
use escale_service::Cx;
use escale_store::Image;
use escale_tables::rds::{Instance, InstanceSeen, Role};
use std::sync::Arc;

/// AWS's limit of replicas for an instance: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html>
pub(crate) const MOST: usize = 15;

pub(crate) const CATEGORY: &str = "read replica";

/// The replicas of an instance, those that are being promoted or deleted among them.
pub(crate) fn of(image: &Image, source: &Instance) -> Vec<Arc<Instance>> {
    let database = plane_name(source);
    let follows = |i: &Arc<Instance>| i.replica_of.as_ref().is_some_and(|r| r.database == database);
    image.scan::<Instance>().filter(follows).collect()
}

pub(crate) fn source(image: &Image, replica: &Instance) -> Option<Arc<Instance>> {
    let database = &replica.replica_of.as_ref()?.database;
    image.scan::<Instance>().find(|i| plane_name(i) == *database)
}

/// Whether the instance is to stay a replica.
pub(crate) fn is_replica(instance: &Instance) -> bool {
    instance.replica_of.as_ref().is_some_and(|r| r.promotion.is_none())
}

/// Whether clients of its endpoint are served: by a primary that accepts writes, or by a replica that answers queries.
pub(crate) fn serves(instance: &Instance, seen: &InstanceSeen) -> bool {
    let answers = || seen.nodes.iter().any(|n| n.role == Role::Standby);
    seen.writable || (instance.replica_of.is_some() && seen.follows.is_some() && answers())
}

/// Whether the source has failed over since the replica was last pointed to its primary.
pub(crate) fn points_elsewhere(image: &Image, replica: &Instance, seen: &InstanceSeen) -> bool {
    let primary = source(image, replica).and_then(|s| image.get::<InstanceSeen>(&s.id));
    let node = seen.follows.as_ref().and_then(|f| f.node.as_ref());
    is_replica(replica) && primary.is_some_and(|p| Some(&p.primary) != node)
}

/// The state of replication: whether it is normal, AWS's status, and a message.
pub(crate) fn replication(replica: &Instance, seen: &InstanceSeen) -> Option<(bool, &'static str, String)> {
    let follows = seen.follows.as_ref().filter(|_| replica.replica_of.is_some())?;
    Some(match &seen.error {
        _ if follows.streams => (true, "replicating", String::new()),
        Some(error) => (false, "error", error.clone()),
        None => {
            (false, "stopped", "The replica receives nothing from its source; this is being repaired".into())
        }
    })
}

/// Requests the promotion. The reconciler does the rest, and removes the source from the row when it is done.
pub(crate) fn promote(cx: &mut Cx<'_>, row: &mut Instance) {
    let source = source(cx.tx, row);
    if let Some(source) = source {
        // The password of the master user came from the source with all other data.
        row.credentials.password = source.credentials.password.clone();
    }
    if let Some(of) = &mut row.replica_of {
        of.promotion = Some(cx.now);
    }
    row.revision += 1;
    events::instance(cx.tx, cx.config, cx.now, &row.id, CATEGORY, "Promotion of the read replica started");
}

/// Takes the source from the row of a promoted replica, and its interfaces out of the source's group.
pub(crate) fn finish_promotion(cx: &mut Cx<'_>, id: &str) -> Result<(), AwsError> {
    let Some(row) = cx.tx.get::<Instance>(id) else { return Ok(()) };
    if row.replica_of.as_ref().is_none_or(|r| r.promotion.is_none()) {
        return Ok(());
    }
    let mut row = Instance::clone(&row);
    row.replica_of = None;
    network::set_interface_groups(cx, &row)?;
    let message = "The read replica was promoted to a standalone DB instance";
    events::instance(cx.tx, cx.config, cx.now, id, CATEGORY, message);
    cx.tx.put(row);
    Ok(())
}

/// Refuses what the replica of an instance cannot do.
pub(crate) fn refuse_on_replica(row: &Instance, what: &str) -> Result<(), Error> {
    if row.replica_of.is_none() {
        return Ok(());
    }
    let refused = AwsError::not_supported(format_args!("{what} of a read replica"));
    Err(refused.hint("Promote it with PromoteReadReplica first.").into())
}

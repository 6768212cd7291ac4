//! What the reconcilers and the observer share: the plane, and the one way to write what is seen.

use super::plane_name;
use crate::rules;
use escale_base::Clock;
use escale_engine::StepError;
use escale_postgres::{NodeRole, Observed, Postgres, Protection, ReplicationState};
use escale_service::Cloud;
use escale_store::{Image, Store, StoreError, Tx};
use escale_tables::rds::{Instance, InstanceSeen, NodeSeen, RdsEndpoint, Replication, Role};
use std::sync::Arc;

/// Clients ask for the name again this soon after a failover.
const ENDPOINT_TTL_SECS: u32 = 5;

pub(crate) struct Hands {
    pub(crate) store: Store,
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) clock: Clock,
    plane: Result<Arc<dyn Postgres>, String>,
    /// Looking and writing take turns, so that an older look never replaces a newer one.
    looking: tokio::sync::Mutex<()>,
}

impl Hands {
    pub(crate) fn new(
        store: Store,
        cloud: Arc<Cloud>,
        clock: Clock,
        plane: Result<Arc<dyn Postgres>, String>,
    ) -> Hands {
        Hands { store, cloud, clock, plane, looking: tokio::sync::Mutex::default() }
    }

    /// The plane, or why there is none on this machine.
    pub(crate) fn plane(&self) -> Result<&Arc<dyn Postgres>, StepError> {
        self.plane.as_ref().map_err(|why| StepError { what: why.clone(), retry: false })
    }

    /// Looks at an instance's database and writes what is seen; `change` may say more about it in the same
    /// transaction. An instance that is gone leaves no row.
    pub(crate) async fn look(
        &self,
        id: &str,
        change: impl FnOnce(&mut Tx, &Instance, &mut InstanceSeen) + Send,
    ) -> Result<(), StepError> {
        let _turn = self.looking.lock().await;
        let Some(instance) = self.store.read().get::<Instance>(id) else { return Ok(()) };
        let observed = self.plane()?.observe(&plane_name(&instance)).await?;
        let now = self.clock.now();
        self.store.write(|tx| {
            let Some(instance) = same(tx, &instance) else { return Ok(()) };
            let old = tx.get::<InstanceSeen>(id);
            let mut seen = old.as_deref().cloned().unwrap_or_else(|| nothing(&instance));
            if let Some(observed) = &observed {
                fill(&mut seen, observed);
            }
            change(tx, &instance, &mut seen);
            if old.as_deref() != Some(&seen) {
                seen.at = now;
                point_endpoint(tx, &self.cloud, &instance, &seen);
                tx.put(seen);
            }
            Ok::<(), StoreError>(())
        })?;
        Ok(())
    }

    /// Writes why an instance does not come about: as its status, not only as a trouble.
    pub(crate) fn failed(&self, id: &str, why: &str) -> Result<(), StepError> {
        let now = self.clock.now();
        self.store.write(|tx| {
            let Some(instance) = tx.get::<Instance>(id) else { return Ok(()) };
            let old = tx.get::<InstanceSeen>(id);
            if old.as_ref().is_some_and(|s| s.error.as_deref() == Some(why)) {
                return Ok(());
            }
            let mut seen = old.as_deref().cloned().unwrap_or_else(|| nothing(&instance));
            seen.error = Some(why.to_owned());
            seen.at = now;
            tx.put(seen);
            crate::events::instance(tx, &self.cloud.config, now, id, "failure", why);
            Ok::<(), StoreError>(())
        })?;
        Ok(())
    }
}

/// The row, if it is still the same instance.
fn same(image: &Image, instance: &Instance) -> Option<Arc<Instance>> {
    image.get::<Instance>(&instance.id).filter(|i| i.resource_id == instance.resource_id)
}

fn nothing(instance: &Instance) -> InstanceSeen {
    InstanceSeen {
        id: instance.id.clone(),
        enacted: None,
        primary: instance.nodes.first().map(|n| n.name.clone()).unwrap_or_default(),
        writable: false,
        nodes: vec![],
        replication: Replication::None,
        pending_restart: vec![],
        rebooted: None,
        error: None,
        at: instance.created,
    }
}

fn fill(seen: &mut InstanceSeen, observed: &Observed) {
    let role = |role| match role {
        NodeRole::Primary => Role::Primary,
        NodeRole::Standby => Role::Standby,
        NodeRole::Unresponsive => Role::Unresponsive,
        NodeRole::Down => Role::Down,
    };
    seen.primary.clone_from(&observed.primary);
    seen.writable = observed.writable().is_some();
    seen.nodes =
        observed.nodes.iter().map(|n| NodeSeen { name: n.name.clone(), role: role(n.role) }).collect();
    let standby = observed.nodes.iter().find(|n| n.name != observed.primary);
    seen.replication = match (standby, observed.protection) {
        (None, _) => Replication::None,
        (Some(_), Protection::Protected) => Replication::Protected,
        (Some(_), Protection::Arming) => Replication::CatchingUp,
        (Some(standby), Protection::Alone) => {
            let streams = standby.replication.is_some_and(|r| r.state != ReplicationState::Disconnected);
            if streams { Replication::CatchingUp } else { Replication::Degraded }
        }
    };
    let mut pending: Vec<String> = observed.nodes.iter().flat_map(|n| n.pending_restart.clone()).collect();
    pending.sort();
    pending.dedup();
    seen.pending_restart = pending;
}

/// The name leads to the node that takes writes; while none does, to the last one that did.
fn point_endpoint(tx: &mut Tx, cloud: &Cloud, instance: &Instance, seen: &InstanceSeen) {
    let Some(primary) = instance.nodes.iter().find(|n| n.name == seen.primary) else { return };
    if seen.enacted.is_none() || !seen.writable {
        return;
    }
    let row = RdsEndpoint {
        name: rules::endpoint(&cloud.config, &instance.id),
        address: primary.address,
        vpc: instance.vpc.clone(),
        ttl_secs: ENDPOINT_TTL_SECS,
    };
    if tx.get::<RdsEndpoint>(&row.name).as_deref() != Some(&row) {
        tx.put(row);
    }
}

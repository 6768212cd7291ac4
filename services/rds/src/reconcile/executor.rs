//! Shared by the reconcilers and the observer: access to the plane, and the only code that writes observations of instances.

use super::plane_name;
use crate::{events, maintenance, replicas, rules};
use escale_base::Timestamp;
use escale_engine::StepError;
use escale_postgres::{ArchiveSeen, NodeRole, Observed, Postgres, Protection, ReplicationState};
use escale_service::Cloud;
use escale_store::{Image, Store, StoreError, Tx};
use escale_tables::rds::{
    Follows, Instance, InstanceSeen, NodeSeen, Outdated, RdsEndpoint, Replication, Role,
};
use std::sync::Arc;

/// Clients resolve the endpoint again within this time after a failover.
const ENDPOINT_TTL_SECS: u32 = 5;

pub(crate) struct Executor {
    pub(crate) store: Store,
    pub(crate) cloud: Arc<Cloud>,
    plane: Result<Arc<dyn Postgres>, String>,
    /// Held while observing and writing, so that an older observation never replaces a newer one.
    observing: tokio::sync::Mutex<()>,
}

impl Executor {
    pub(crate) fn new(store: Store, cloud: Arc<Cloud>, plane: Result<Arc<dyn Postgres>, String>) -> Executor {
        Executor { store, cloud, plane, observing: tokio::sync::Mutex::default() }
    }

    /// The plane, or why there is none on this machine.
    pub(crate) fn plane(&self) -> Result<&Arc<dyn Postgres>, StepError> {
        self.plane.as_ref().map_err(|why| StepError { what: why.clone(), retry: false })
    }

    /// Observes an instance's database and writes the result. `change` can change the row in the same transaction. Writes
    /// nothing if the instance no longer exists.
    pub(crate) async fn observe(
        &self,
        id: &str,
        change: impl FnOnce(&mut Tx, &Instance, &mut InstanceSeen) + Send,
    ) -> Result<(), StepError> {
        let _turn = self.observing.lock().await;
        let Some(instance) = self.store.read().get::<Instance>(id) else { return Ok(()) };
        let observed = self.plane()?.observe(&plane_name(&instance)).await?;
        let now = self.cloud.clock.now();
        self.store.write(|tx| {
            // While the plane answered, another instance may have been created under this id.
            let Some(instance) = same_instance(tx, &instance) else { return Ok(()) };
            let old = tx.get::<InstanceSeen>(id);
            let mut seen = old.as_deref().cloned().unwrap_or_else(|| unobserved(&instance));
            // A failover may have completed while a server was waited for, and its event is newer.
            if let Some(observed) = observed.as_ref().filter(|o| o.epoch >= seen.epoch) {
                fill(&mut seen, observed);
                fill_archive(&mut seen, &instance, observed.archive);
            }
            self.report_replication(tx, &instance, old.as_deref(), &seen);
            change(tx, &instance, &mut seen);
            maintenance::settle(tx, &self.cloud.config, now, &instance, &mut seen);
            if old.as_deref() != Some(&seen) {
                seen.at = now;
                point_endpoint(tx, &self.cloud, &instance, &seen);
                tx.put(seen);
            }
            Ok::<(), StoreError>(())
        })?;
        Ok(())
    }

    /// Records that a replica of which all was well stopped to receive anything, or does so again.
    fn report_replication(
        &self,
        tx: &mut Tx,
        instance: &Instance,
        old: Option<&InstanceSeen>,
        seen: &InstanceSeen,
    ) {
        let streamed = old.filter(|s| s.enacted.is_some()).and_then(|s| s.follows.as_ref());
        let message = match (streamed.map(|f| f.streams), seen.follows.as_ref().map(|f| f.streams)) {
            (Some(true), Some(false)) => "Replication of the read replica has stopped",
            (Some(false), Some(true)) => "Replication of the read replica has resumed",
            _ => return,
        };
        let now = self.cloud.clock.now();
        events::instance(tx, &self.cloud.config, now, &instance.id, replicas::CATEGORY, message);
    }

    /// Records the new primary of a failover: it accepts writes, and nothing is known of the other node.
    pub(crate) fn point_to(&self, tx: &mut Tx, instance: &Instance, primary: &str, epoch: u64) {
        let Some(old) = tx.get::<InstanceSeen>(&instance.id).filter(|s| s.epoch < epoch || !s.writable)
        else {
            return;
        };
        let seen = InstanceSeen {
            epoch,
            primary: primary.to_owned(),
            writable: true,
            replication: Replication::Degraded,
            nodes: vec![NodeSeen { name: primary.to_owned(), role: Role::Primary }],
            at: self.cloud.clock.now(),
            ..(*old).clone()
        };
        point_endpoint(tx, &self.cloud, instance, &seen);
        tx.put(seen);
    }

    /// Records why the wish with this fingerprint cannot be enacted. This becomes its status, beside the engine's pending reason.
    pub(crate) fn record_failure(&self, id: &str, wish: &str, why: &str) -> Result<(), StepError> {
        let now = self.cloud.clock.now();
        self.store.write(|tx| {
            let Some(instance) = tx.get::<Instance>(id) else { return Ok(()) };
            let old = tx.get::<InstanceSeen>(id);
            // The engine repeats the step: record the same failure, and its event, only once.
            let same =
                |s: &InstanceSeen| s.error.as_deref() == Some(why) && s.failed.as_deref() == Some(wish);
            if old.as_deref().is_some_and(same) {
                return Ok(());
            }
            let mut seen = old.as_deref().cloned().unwrap_or_else(|| unobserved(&instance));
            seen.error = Some(why.to_owned());
            seen.failed = Some(wish.into());
            seen.at = now;
            tx.put(seen);
            crate::events::instance(tx, &self.cloud.config, now, id, "failure", why);
            Ok::<(), StoreError>(())
        })?;
        Ok(())
    }
}

/// The instance's current row, if it is still the same instance.
fn same_instance(image: &Image, instance: &Instance) -> Option<Arc<Instance>> {
    image.get::<Instance>(&instance.id).filter(|i| i.resource_id == instance.resource_id)
}

fn unobserved(instance: &Instance) -> InstanceSeen {
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
        failed: None,
        watched: false,
        epoch: 0,
        restorable: None,
        archive_fails: None,
        wal_bytes: None,
        outdated: None,
        upgrading: None,
        follows: None,
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
    (seen.watched, seen.epoch) = (observed.watched, observed.epoch);
    let node = seen.follows.take().and_then(|f| f.node);
    seen.follows = observed.source.as_ref().map(|f| Follows { streams: f.streams, node });
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
    let runs =
        observed.nodes.iter().filter_map(|n| n.release.filter(|_| observed.is_outdated(&n.name))).min();
    seen.outdated = runs
        .zip(observed.installed)
        .map(|(runs, installed)| Outdated { runs: runs.to_string(), installed: installed.to_string() });
    let mut pending: Vec<String> = observed.nodes.iter().flat_map(|n| n.pending_restart.clone()).collect();
    pending.sort();
    pending.dedup();
    seen.pending_restart = pending;
}

/// The restorable time of a quiet database grows all the time; it is stored in steps of this size.
const RESTORABLE_STEP_MS: i64 = 15_000;

const WAL_STEP_BYTES: u64 = 16 << 20;

fn fill_archive(seen: &mut InstanceSeen, instance: &Instance, archive: Option<ArchiveSeen>) {
    if instance.backup_retention_days == 0 {
        (seen.restorable, seen.archive_fails, seen.wal_bytes) = (None, None, None);
        return;
    }
    // A new daemon does not know it yet, and an archive never loses what it has.
    let Some(archive) = archive else { return };
    // When it last failed changes with each attempt.
    seen.archive_fails = archive.failing_since.map(|last| seen.archive_fails.unwrap_or(last));
    seen.wal_bytes = Some(archive.waiting_bytes.next_multiple_of(WAL_STEP_BYTES));
    let is_later = |old: Timestamp, new: Timestamp| new.since_ms(old) >= RESTORABLE_STEP_MS;
    if let Some(latest) = archive.latest.filter(|new| seen.restorable.is_none_or(|old| is_later(old, *new))) {
        seen.restorable = Some(latest);
    }
}

/// Points the endpoint's name to the node that accepts writes. If none does, the name keeps pointing to the last one.
fn point_endpoint(tx: &mut Tx, cloud: &Cloud, instance: &Instance, seen: &InstanceSeen) {
    let Some(primary) = instance.nodes.iter().find(|n| n.name == seen.primary) else { return };
    if seen.enacted.is_none() || !replicas::serves(instance, seen) {
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

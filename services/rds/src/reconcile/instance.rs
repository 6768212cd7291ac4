//! Creates, changes, fails over, restarts and deletes instances.

use super::{Executor, fingerprint, plane_name, wish};
use crate::{events, maintenance, provision, replicas, rules, status};
use escale_base::{Timestamp, error::Fault};
use escale_engine::{Plan, Reconciler, StepError};
use escale_postgres::DatabaseSpec;
use escale_service::Caller;
use escale_store::{Change, Image, Row, StoreError};
use escale_tables::{
    ec2::InterfaceSeen,
    rds::{
        Instance, InstanceSeen, Node, ParameterGroup, RdsEndpoint, RdsLogCursor, Replication, Role, Snapshot,
        SnapshotKind, SnapshotSeen,
    },
};
use std::{collections::BTreeSet, sync::Arc};

pub(crate) struct Instances(pub(crate) Arc<Executor>);

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Bring the plane to this spec, whose wish has this fingerprint. Then release the interfaces of removed nodes.
    Enact {
        spec: Box<DatabaseSpec>,
        fingerprint: String,
    },
    Failover {
        from: String,
        asked: Timestamp,
    },
    Restart {
        asked: Timestamp,
    },
    /// Start an instance that was stopped for the longest time that AWS allows.
    StartAgain,
    /// Run the installed minor release on one more server.
    Upgrade,
    Delete,
}

impl Reconciler for Instances {
    type Step = Step;
    const NAME: &'static str = "rds-instance";
    const WATCHES: &'static [&'static str] = &[
        Instance::TABLE,
        InstanceSeen::TABLE,
        ParameterGroup::TABLE,
        Snapshot::TABLE,
        SnapshotSeen::TABLE,
        InterfaceSeen::TABLE,
    ];

    fn concerned(&self, image: &Image, change: &Change) -> BTreeSet<String> {
        let key = change.key.as_str();
        let concerns = |i: &Instance| match change.table {
            ParameterGroup::TABLE => i.parameter_group == key,
            InterfaceSeen::TABLE => i.nodes.iter().any(|n| n.interface.as_str() == key),
            Snapshot::TABLE | SnapshotSeen::TABLE => i.deletion.is_some(),
            // Its source allows a replica what it needs, and no longer when it is gone.
            Instance::TABLE => true,
            // The deletion of another one may wait until this one is restored, and a replica follows another one.
            _ => i.id == key || i.deletion.is_some() || i.replica_of.is_some(),
        };
        image.scan::<Instance>().filter(|i| concerns(i)).map(|i| i.id.clone()).collect()
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        image.keys(Instance::TABLE).cloned().collect()
    }

    fn plan(&self, image: &Image, key: &str, now: Timestamp) -> Plan<Step> {
        match image.get::<Instance>(key) {
            None => Plan::Done,
            Some(instance) => plan(image, &instance, now),
        }
    }

    async fn act(&self, key: &str, step: Step) -> Result<(), StepError> {
        match step {
            Step::Enact { spec, fingerprint } => self.enact(key, &spec, fingerprint).await,
            Step::Failover { from, asked } => self.failover(key, &from, asked).await,
            Step::Restart { asked } => self.restart(key, asked).await,
            Step::StartAgain => self.start_again(key),
            Step::Upgrade => self.upgrade(key).await,
            Step::Delete => self.delete(key).await,
        }
    }
}

fn plan(image: &Image, instance: &Instance, now: Timestamp) -> Plan<Step> {
    let seen = image.get::<InstanceSeen>(&instance.id);
    let created = seen.as_deref().filter(|s| s.enacted.is_some());
    if instance.deletion.is_some() {
        return match created {
            Some(_) if status::pending_snapshot(image, instance) => {
                Plan::wait("a snapshot of it is being taken")
            }
            Some(_) if let Some(id) = restored_from(image, instance) => {
                Plan::wait(format!("{id} is still being restored from it"))
            }
            _ => match replicas::of(image, instance).iter().find(|r| r.deletion.is_none()) {
                Some(replica) => Plan::wait(format!("its read replica {} is being promoted", replica.id)),
                None => Plan::Step(Step::Delete),
            },
        };
    }
    let (spec, fingerprint) = match (wish::spec(image, instance), fingerprint(image, instance)) {
        (Ok(spec), Ok(fingerprint)) => (Box::new(spec), fingerprint),
        (Err(why), _) | (_, Err(why)) => return Plan::wait(why),
    };
    let enact = Plan::Step(Step::Enact { spec, fingerprint: fingerprint.clone() });
    let Some(seen) = created else { return enact };
    if let Some(reboot) = instance.reboot.as_ref().filter(|r| seen.rebooted.is_none_or(|at| at < r.asked)) {
        let asked = reboot.asked;
        let enacted = seen.enacted.as_ref() == Some(&fingerprint);
        let has_failed = seen.failed.as_deref() == Some(fingerprint.as_str());
        return match reboot.failover_from.clone() {
            // A failover that has begun is completed by a pass, which also starts a new primary that has ended meanwhile.
            Some(from) if lacks_standby(seen, &from) || (seen.primary != from && !seen.writable) => enact,
            // Parameters that wait for a reboot are in effect after this one. It still happens if they are refused.
            None if !enacted && !has_failed => enact,
            Some(from) => Plan::Step(Step::Failover { from, asked }),
            None => Plan::Step(Step::Restart { asked }),
        };
    }
    let is_promoted = seen.follows.is_none() && instance.replica_of.is_some();
    let follows = !is_promoted && !replicas::points_elsewhere(image, instance, seen);
    if seen.enacted.as_ref() != Some(&fingerprint) || !is_complete(instance, seen) || !follows {
        return enact;
    }
    if let Some(at) = status::restarts(instance) {
        let waits = Plan::wait_until(at, "it is stopped for at most seven days");
        return if at > now { waits } else { Plan::Step(Step::StartAgain) };
    }
    match maintenance::due(instance, seen, now) {
        None => Plan::Done,
        Some(at) if at <= now => Plan::Step(Step::Upgrade),
        Some(at) => Plan::wait_until(at, "the maintenance window has not begun"),
    }
}

/// The instance that still needs this one's archive.
fn restored_from(image: &Image, instance: &Instance) -> Option<String> {
    let archive = plane_name(instance);
    // A restoration that has failed needs nothing: it would keep the source forever.
    let is_over = |s: &InstanceSeen| s.enacted.is_some() || s.error.is_some();
    let is_created = |i: &Instance| image.get::<InstanceSeen>(&i.id).is_some_and(|s| is_over(&s));
    let needs = |i: &Instance| i.recover.as_ref().is_some_and(|r| r.database == archive) && !is_created(i);
    image.scan::<Instance>().find(|i| i.deletion.is_none() && needs(i)).map(|i| i.id.clone())
}

/// Whether all servers of the instance are up: the primary accepts writes, and a standby has every commit. A replica answers queries and
/// receives what its source writes.
pub(crate) fn is_complete(instance: &Instance, seen: &InstanceSeen) -> bool {
    if replicas::is_replica(instance) {
        let streams = seen.follows.as_ref().is_some_and(|f| f.streams);
        return !instance.running || (streams && replicas::serves(instance, seen));
    }
    let has_standby = seen.watched && seen.replication == Replication::Protected;
    !instance.running || (seen.writable && (!instance.multi_az || has_standby))
}

/// Whether the standby failed after the failover was requested. The plane would refuse the failover until it is rebuilt.
fn lacks_standby(seen: &InstanceSeen, from: &str) -> bool {
    let ready = seen.nodes.iter().any(|n| n.name != seen.primary && n.role == Role::Standby);
    seen.primary == from && !(ready && seen.replication == Replication::Protected)
}

impl Instances {
    async fn enact(&self, id: &str, spec: &DatabaseSpec, fingerprint: String) -> Result<(), StepError> {
        let executor = &self.0;
        let ensured = match executor.plane() {
            Ok(plane) => plane.ensure(spec).await,
            Err(error) => {
                executor.record_failure(id, &fingerprint, &error.what)?;
                return Err(error);
            }
        };
        if let Err(error) = ensured {
            // A repetition would fail in the same way, so clients must see the failure in the status.
            if error.fault == Fault::Asked || !error.retry {
                executor.record_failure(id, &fingerprint, &error.to_string())?;
            } else {
                // A change counts when the primary has it. The standby may be broken for long, and gets it when it is rebuilt.
                let matches = executor.plane()?.primary_matches(spec).await.unwrap_or(false);
                self.observe_enacted(id, &fingerprint, matches).await?;
            }
            return Err(error.into());
        }
        let complete = self.observe_enacted(id, &fingerprint, true).await?;
        self.release_leaving(id, spec)?;
        if complete && spec.source.is_none() {
            self.finish_promotion(id)?;
        }
        // A server may have stopped since.
        if complete { Ok(()) } else { Err(StepError::new("a server of the instance does not run")) }
    }

    /// Observes the instance, and records that the wish with this fingerprint is enacted if the primary matches it. Returns whether all
    /// servers are up.
    async fn observe_enacted(&self, id: &str, fingerprint: &str, matches: bool) -> Result<bool, StepError> {
        let executor = &self.0;
        let (config, now) = (executor.cloud.config.clone(), executor.cloud.clock.now());
        // Before the observation: if the source fails over meanwhile, the replica is pointed to its new primary once more.
        let source = {
            let image = executor.store.read();
            let source = image.get::<Instance>(id).and_then(|i| replicas::source(&image, &i));
            source.and_then(|s| image.get::<InstanceSeen>(&s.id)).map(|s| s.primary.clone())
        };
        let mut complete = false;
        executor
            .observe(id, |tx, instance, seen| {
                complete = is_complete(instance, seen);
                if let Some(follows) = seen.follows.as_mut().filter(|_| matches) {
                    follows.node.clone_from(&source);
                }
                if matches {
                    (seen.error, seen.failed) = (None, None);
                }
                // A creation or a new standby counts as enacted only when all servers are up.
                let adds = |enacted: &String| wish::lacks_node(enacted, instance);
                if !matches || (!complete && seen.enacted.as_ref().is_none_or(adds)) {
                    return;
                }
                let message = match &seen.enacted {
                    None if instance.recover.is_some() => {
                        Some(("restoration", "Restored to a point in time"))
                    }
                    None if instance.restore_from.is_some() => {
                        Some(("restoration", "Restored from snapshot"))
                    }
                    None => Some(("creation", "DB instance created")),
                    Some(old) if *old == *fingerprint => None,
                    Some(_) if !instance.running => Some(("notification", "DB instance stopped")),
                    Some(old) if super::is_stopped(old) => Some(("notification", "DB instance started")),
                    Some(_) => {
                        Some(("configuration change", "Finished applying modification to DB instance"))
                    }
                };
                if let Some((category, message)) = message {
                    events::instance(tx, &config, now, &instance.id, category, message);
                }
                seen.enacted = Some(fingerprint.to_owned());
            })
            .await?;
        Ok(complete)
    }

    fn finish_promotion(&self, id: &str) -> Result<(), StepError> {
        let executor = &self.0;
        let is_asked = |i: &Instance| i.replica_of.as_ref().is_some_and(|r| r.promotion.is_some());
        if !executor.store.read().get::<Instance>(id).is_some_and(|i| is_asked(&i)) {
            return Ok(());
        }
        let caller = Caller::service(provision::PRINCIPAL);
        let work = executor.cloud.transact(&executor.store, &caller, |cx| replicas::finish_promotion(cx, id));
        work.map_err(|e| e.0.into())
    }

    /// Deletes the interfaces of nodes that the plane no longer has.
    fn release_leaving(&self, id: &str, spec: &DatabaseSpec) -> Result<(), StepError> {
        let executor = &self.0;
        let left = |n: &Node| spec.node(&n.name).is_none();
        if !executor.store.read().get::<Instance>(id).is_some_and(|i| i.leaving.iter().any(left)) {
            return Ok(());
        }
        let caller = Caller::service(provision::PRINCIPAL);
        let work = executor.cloud.transact(&executor.store, &caller, |cx| {
            let Some(instance) = cx.tx.get::<Instance>(id) else { return Ok(()) };
            for node in instance.leaving.iter().filter(|n| left(n)) {
                provision::delete_interface(cx, node)?;
            }
            cx.tx.update(id, |i: &mut Instance| i.leaving.retain(|n| !left(n)));
            Ok(())
        });
        work.map_err(|e| e.0.into())
    }

    async fn failover(&self, id: &str, from: &str, asked: Timestamp) -> Result<(), StepError> {
        let executor = &self.0;
        let Some(instance) = executor.store.read().get::<Instance>(id) else { return Ok(()) };
        // A repetition after a crash completes the same failover: `from` is then no longer the primary.
        let done = executor.plane()?.failover(&plane_name(&instance), from).await?;
        tracing::info!(
            id,
            from,
            fenced_ms = done.fenced_ms,
            promoted_ms = done.promoted_ms,
            "the database failed over to its standby"
        );
        // observe.rs records the event when the plane reports the failover.
        executor.observe(id, |_, _, seen| seen.rebooted = Some(asked)).await
    }

    async fn restart(&self, id: &str, asked: Timestamp) -> Result<(), StepError> {
        let executor = &self.0;
        let Some(instance) = executor.store.read().get::<Instance>(id) else { return Ok(()) };
        // The plane restarts only servers that started before `asked`, so a repetition changes nothing.
        executor.plane()?.restart(&plane_name(&instance), asked).await?;
        let (config, now) = (executor.cloud.config.clone(), executor.cloud.clock.now());
        executor
            .observe(id, |tx, instance, seen| {
                seen.rebooted = Some(asked);
                events::instance(tx, &config, now, &instance.id, "availability", "DB instance restarted");
            })
            .await
    }

    fn start_again(&self, id: &str) -> Result<(), StepError> {
        let executor = &self.0;
        let (config, now) = (executor.cloud.config.clone(), executor.cloud.clock.now());
        executor.store.write(|tx| {
            let is_due = |i: &Instance| status::restarts(i).is_some_and(|at| at <= now);
            if tx.get::<Instance>(id).is_some_and(|i| is_due(&i)) {
                tx.update(id, |i: &mut Instance| {
                    (i.running, i.stopped) = (true, None);
                    i.revision += 1;
                });
                let message = "The DB instance is being started due to it exceeding the maximum allowed time being stopped.";
                events::instance(tx, &config, now, id, "notification", message);
            }
            Ok::<(), StoreError>(())
        })?;
        Ok(())
    }

    async fn upgrade(&self, id: &str) -> Result<(), StepError> {
        let executor = &self.0;
        let Some(instance) = executor.store.read().get::<Instance>(id) else { return Ok(()) };
        maintenance::begin(&executor.store, &executor.cloud, id)?;
        // Each call takes one step, and none when every server runs the release. `plan` has the rest of the database repaired
        // before the next one.
        executor.plane()?.upgrade(&plane_name(&instance)).await?;
        executor.observe(id, |_, _, _| {}).await
    }

    async fn delete(&self, id: &str) -> Result<(), StepError> {
        let executor = &self.0;
        let (instance, is_created) = {
            let image = executor.store.read();
            let Some(instance) = image.get::<Instance>(id) else { return Ok(()) };
            (instance, image.get::<InstanceSeen>(id).is_some_and(|s| s.enacted.is_some()))
        };
        match executor.plane() {
            // The data goes before the rows, so that a crash in between repeats the step. There is no final snapshot here: `plan`
            // waits until the reconciler of snapshots has taken it.
            Ok(plane) => plane.delete(&plane_name(&instance), None).await?,
            // Without a plane, nothing can have been created on the machine.
            Err(_) if !is_created => {}
            Err(error) => return Err(error),
        }
        let caller = Caller::service(provision::PRINCIPAL);
        let work = executor.cloud.transact(&executor.store, &caller, |cx| {
            let Some(instance) = cx.tx.get::<Instance>(id) else { return Ok(()) };
            for node in instance.nodes.iter().chain(&instance.leaving) {
                provision::delete_interface(cx, node)?;
            }
            if let Some(group) = &instance.replication_group {
                provision::delete_group(cx, group)?;
            }
            if let Some(arn) = &instance.credentials.secret_arn {
                provision::delete_secret(cx, arn)?;
            }
            let automated: Vec<String> = cx
                .tx
                .scan::<Snapshot>()
                .filter(|s| s.resource_id == instance.resource_id && s.kind == SnapshotKind::Automated)
                .map(|s| s.id.clone())
                .collect();
            for snapshot in automated {
                cx.tx.update(&snapshot, |s: &mut Snapshot| s.deleted = true);
            }
            cx.tx.delete::<RdsEndpoint>(&rules::endpoint(cx.config, id));
            let cursors: Vec<String> = cx
                .tx
                .prefix::<RdsLogCursor>(&format!("{}/", instance.resource_id))
                .map(|c| Row::key(&*c))
                .collect();
            for cursor in cursors {
                cx.tx.delete::<RdsLogCursor>(&cursor);
            }
            cx.tx.delete::<InstanceSeen>(id);
            cx.tx.delete::<Instance>(id);
            events::instance(cx.tx, cx.config, cx.now, id, "deletion", "DB instance deleted");
            Ok(())
        });
        work.map_err(|e| e.0.into())
    }
}

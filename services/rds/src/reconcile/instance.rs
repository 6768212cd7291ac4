//! Instances: made, changed, failed over, restarted, deleted.

use super::{Hands, fingerprint, plane_name, wish};
use crate::{events, making, rules, status};
use escale_base::{Timestamp, error::Fault};
use escale_engine::{Plan, Reconciler, StepError};
use escale_postgres::DatabaseSpec;
use escale_service::Caller;
use escale_store::{Change, Image, Row};
use escale_tables::{
    ec2::InterfaceSeen,
    rds::{
        Instance, InstanceSeen, Node, ParameterGroup, RdsEndpoint, Replication, Role, Snapshot, SnapshotKind,
        SnapshotSeen,
    },
};
use std::{collections::BTreeSet, sync::Arc};

pub(crate) struct Instances(pub(crate) Arc<Hands>);

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Bring the plane to the wish with this fingerprint; then these nodes are given up.
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
            _ => i.id == key,
        };
        image.scan::<Instance>().filter(|i| concerns(i)).map(|i| i.id.clone()).collect()
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        image.keys(Instance::TABLE).cloned().collect()
    }

    fn plan(&self, image: &Image, key: &str, _: Timestamp) -> Plan<Step> {
        match image.get::<Instance>(key) {
            None => Plan::Done,
            Some(instance) => plan(image, &instance),
        }
    }

    async fn act(&self, key: &str, step: Step) -> Result<(), StepError> {
        match step {
            Step::Enact { spec, fingerprint } => self.enact(key, &spec, fingerprint).await,
            Step::Failover { from, asked } => self.failover(key, &from, asked).await,
            Step::Restart { asked } => self.restart(key, asked).await,
            Step::Delete => self.delete(key).await,
        }
    }
}

fn plan(image: &Image, instance: &Instance) -> Plan<Step> {
    let seen = image.get::<InstanceSeen>(&instance.id);
    let made = seen.as_deref().filter(|s| s.enacted.is_some());
    if instance.deletion.is_some() {
        return match made {
            Some(_) if status::pending_snapshot(image, instance) => {
                Plan::wait("a snapshot of it to be finished")
            }
            _ => Plan::Step(Step::Delete),
        };
    }
    let (spec, fingerprint) = match (wish::spec(image, instance), fingerprint(image, instance)) {
        (Ok(spec), Ok(fingerprint)) => (Box::new(spec), fingerprint),
        (Err(why), _) | (_, Err(why)) => return Plan::wait(why),
    };
    let enact = Plan::Step(Step::Enact { spec, fingerprint: fingerprint.clone() });
    let Some(seen) = made else { return enact };
    // A failover that the plane decides to be due on its own observation would stand here, before the old primary is
    // brought back by `Enact`.
    if let Some(reboot) = instance.reboot.as_ref().filter(|r| seen.rebooted.is_none_or(|at| at < r.asked)) {
        let asked = reboot.asked;
        return match reboot.failover_from.clone() {
            Some(from) if lacks_standby(seen, &from) => enact,
            Some(from) => Plan::Step(Step::Failover { from, asked }),
            None => Plan::Step(Step::Restart { asked }),
        };
    }
    if seen.enacted.as_ref() == Some(&fingerprint) && whole(instance, seen) { Plan::Done } else { enact }
}

/// Whether everything of it was seen to be there.
fn whole(instance: &Instance, seen: &InstanceSeen) -> bool {
    !instance.running || (seen.writable && (!instance.multi_az || seen.replication == Replication::Protected))
}

/// Since the failover was asked for, the standby was lost: without one it would be refused for ever.
fn lacks_standby(seen: &InstanceSeen, from: &str) -> bool {
    let ready = seen.nodes.iter().any(|n| n.name != seen.primary && n.role == Role::Standby);
    seen.primary == from && !(ready && seen.replication == Replication::Protected)
}

impl Instances {
    async fn enact(&self, id: &str, spec: &DatabaseSpec, fingerprint: String) -> Result<(), StepError> {
        let hands = &self.0;
        let ensured = match hands.plane() {
            Ok(plane) => plane.ensure(spec).await,
            Err(error) => {
                hands.failed(id, &error.what)?;
                return Err(error);
            }
        };
        if let Err(error) = ensured {
            // Nothing will change by trying again: that is a state, and clients must see it.
            if error.fault == Fault::Asked || !error.retry {
                hands.failed(id, &error.to_string())?;
            } else {
                hands.look(id, |_, _, _| {}).await?;
            }
            return Err(error.into());
        }
        let (config, now) = (hands.cloud.config.clone(), hands.clock.now());
        let mut is_whole = false;
        hands
            .look(id, |tx, instance, seen| {
                is_whole = whole(instance, seen);
                seen.error = None;
                // An instance is made, and a standby added, when all of it is there, not sooner.
                let adds = |enacted: &String| wish::lacks_node(enacted, instance);
                if !is_whole && seen.enacted.as_ref().is_none_or(adds) {
                    return;
                }
                let message = match &seen.enacted {
                    None if instance.restore_from.is_some() => {
                        Some(("restoration", "Restored from snapshot"))
                    }
                    None => Some(("creation", "DB instance created")),
                    Some(old) if *old == fingerprint => None,
                    Some(_) if !instance.running => Some(("notification", "DB instance stopped")),
                    Some(old) if super::is_stopped(old) => Some(("notification", "DB instance started")),
                    Some(_) => {
                        Some(("configuration change", "Finished applying modification to DB instance"))
                    }
                };
                if let Some((category, message)) = message {
                    events::instance(tx, &config, now, &instance.id, category, message);
                }
                seen.enacted = Some(fingerprint);
            })
            .await?;
        self.give_up_leaving(id, spec)?;
        // The plane leaves a standby alone whose zone has no power; and a server may have ended since.
        if is_whole {
            Ok(())
        } else {
            Err(StepError::new("a server of it does not run, or its zone has no power"))
        }
    }

    /// Nodes that the plane no longer has lose their interfaces.
    fn give_up_leaving(&self, id: &str, spec: &DatabaseSpec) -> Result<(), StepError> {
        let hands = &self.0;
        let left = |n: &Node| spec.node(&n.name).is_none();
        if !hands.store.read().get::<Instance>(id).is_some_and(|i| i.leaving.iter().any(left)) {
            return Ok(());
        }
        let caller = Caller::service(making::PRINCIPAL);
        let work = hands.cloud.transact(&hands.store, &caller, |cx| {
            let Some(instance) = cx.tx.get::<Instance>(id) else { return Ok(()) };
            for node in instance.leaving.iter().filter(|n| left(n)) {
                making::delete_interface(cx, node)?;
            }
            cx.tx.update(id, |i: &mut Instance| i.leaving.retain(|n| !left(n)));
            Ok(())
        });
        work.map_err(|e| e.0.into())
    }

    async fn failover(&self, id: &str, from: &str, asked: Timestamp) -> Result<(), StepError> {
        let hands = &self.0;
        let Some(instance) = hands.store.read().get::<Instance>(id) else { return Ok(()) };
        let done = hands.plane()?.failover(&plane_name(&instance), from).await?;
        tracing::info!(id, from, fenced_ms = done.fenced_ms, promoted_ms = done.promoted_ms, "failed over");
        // The event is written when the plane tells of it: see observe.rs.
        hands.look(id, |_, _, seen| seen.rebooted = Some(asked)).await
    }

    async fn restart(&self, id: &str, asked: Timestamp) -> Result<(), StepError> {
        let hands = &self.0;
        let Some(instance) = hands.store.read().get::<Instance>(id) else { return Ok(()) };
        hands.plane()?.restart(&plane_name(&instance), asked).await?;
        let (config, now) = (hands.cloud.config.clone(), hands.clock.now());
        hands
            .look(id, |tx, instance, seen| {
                seen.rebooted = Some(asked);
                events::instance(tx, &config, now, &instance.id, "availability", "DB instance restarted");
            })
            .await
    }

    async fn delete(&self, id: &str) -> Result<(), StepError> {
        let hands = &self.0;
        let (instance, made) = {
            let image = hands.store.read();
            let Some(instance) = image.get::<Instance>(id) else { return Ok(()) };
            (instance, image.get::<InstanceSeen>(id).is_some_and(|s| s.enacted.is_some()))
        };
        match hands.plane() {
            Ok(plane) => plane.delete(&plane_name(&instance), None).await?,
            // Nothing can have been made without a plane.
            Err(_) if !made => {}
            Err(error) => return Err(error),
        }
        let caller = Caller::service(making::PRINCIPAL);
        let work = hands.cloud.transact(&hands.store, &caller, |cx| {
            let Some(instance) = cx.tx.get::<Instance>(id) else { return Ok(()) };
            for node in instance.nodes.iter().chain(&instance.leaving) {
                making::delete_interface(cx, node)?;
            }
            if let Some(group) = &instance.replication_group {
                making::delete_group(cx, group)?;
            }
            if let Some(arn) = &instance.credentials.secret_arn {
                making::delete_secret(cx, arn)?;
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
            cx.tx.delete::<InstanceSeen>(id);
            cx.tx.delete::<Instance>(id);
            events::instance(cx.tx, cx.config, cx.now, id, "deletion", "DB instance deleted");
            Ok(())
        });
        work.map_err(|e| e.0.into())
    }
}

//! Takes each snapshot once, and removes deleted ones.

use super::{Executor, plane_name};
use crate::events;
use escale_base::Timestamp;
use escale_engine::{Plan, Reconciler, StepError};
use escale_store::{Change, Image, Row, StoreError};
use escale_tables::rds::{Instance, InstanceSeen, Snapshot, SnapshotKind, SnapshotSeen};
use std::{collections::BTreeSet, sync::Arc};

pub(crate) struct Snapshots(pub(crate) Arc<Executor>);

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Take { database: String, copy: String },
    Remove { copy: String },
}

impl Reconciler for Snapshots {
    type Step = Step;
    const NAME: &'static str = "rds-snapshot";
    const WATCHES: &'static [&'static str] = &[Snapshot::TABLE, InstanceSeen::TABLE];

    fn concerned(&self, image: &Image, change: &Change) -> BTreeSet<String> {
        if change.table == Snapshot::TABLE {
            return BTreeSet::from([change.key.clone()]);
        }
        let open = |s: &Snapshot| s.deleted || !image.has::<SnapshotSeen>(&s.id);
        image.scan::<Snapshot>().filter(|s| open(s)).map(|s| s.id.clone()).collect()
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        image.keys(Snapshot::TABLE).cloned().collect()
    }

    fn plan(&self, image: &Image, key: &str, _: Timestamp) -> Plan<Step> {
        let Some(snapshot) = image.get::<Snapshot>(key) else { return Plan::Done };
        let is_created = |id: &str| image.get::<InstanceSeen>(id).is_some_and(|s| s.enacted.is_some());
        if snapshot.deleted {
            let restores =
                |i: &Instance| i.restore_from.as_ref() == Some(&snapshot.copy) && !is_created(&i.id);
            return match image.scan::<Instance>().find(|i| restores(i)) {
                Some(instance) => Plan::wait(format!("{} to be restored from it", instance.id)),
                None => Plan::Step(Step::Remove { copy: snapshot.copy.clone() }),
            };
        }
        if image.has::<SnapshotSeen>(key) {
            return Plan::Done;
        }
        let instance = image.get::<Instance>(&snapshot.instance);
        match instance.filter(|i| i.resource_id == snapshot.resource_id) {
            None => Plan::wait("its instance, which no longer exists"),
            Some(instance) if !is_created(&instance.id) => Plan::wait("its instance to be created"),
            Some(instance) => {
                Plan::Step(Step::Take { database: plane_name(&instance), copy: snapshot.copy.clone() })
            }
        }
    }

    async fn act(&self, key: &str, step: Step) -> Result<(), StepError> {
        let executor = &self.0;
        match step {
            Step::Take { database, copy } => {
                // The plane returns an existing snapshot of this name, so a repetition after a crash takes no second one.
                let taken = executor.plane()?.snapshot(&database, &copy).await?;
                let seen = SnapshotSeen { id: key.into(), size_bytes: taken.size_bytes, at: taken.taken };
                let (config, now) = (executor.cloud.config.clone(), executor.clock.now());
                executor.store.write(|tx| {
                    let Some(row) = tx.get::<Snapshot>(key) else { return Ok(()) };
                    let message = match row.kind {
                        SnapshotKind::Manual => "Manual snapshot created",
                        SnapshotKind::Automated => "Automated snapshot created",
                    };
                    tx.put(seen);
                    events::snapshot(tx, &config, now, key, "creation", message);
                    events::instance(
                        tx,
                        &config,
                        now,
                        &row.instance,
                        "backup",
                        "Finished DB Instance backup",
                    );
                    Ok::<(), StoreError>(())
                })?;
            }
            Step::Remove { copy } => {
                // Without a plane, only a snapshot that was never taken can be removed. Else `plane()` returns the error.
                if let Ok(plane) = executor.plane() {
                    plane.delete_snapshot(&copy).await?;
                } else if executor.store.read().has::<SnapshotSeen>(key) {
                    executor.plane()?;
                }
                let (config, now) = (executor.cloud.config.clone(), executor.clock.now());
                executor.store.write(|tx| {
                    tx.delete::<SnapshotSeen>(key);
                    if let Some(snapshot) = tx.get::<Snapshot>(key) {
                        tx.delete::<Snapshot>(key);
                        let message = format!("Deleted {} snapshot", snapshot.kind);
                        events::snapshot(tx, &config, now, key, "deletion", &message);
                    }
                    Ok::<(), StoreError>(())
                })?;
            }
        }
        Ok(())
    }
}

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
    Copy { from: String, copy: String },
    Remove { copy: String, trim: Option<Trim> },
}

/// What the archive of a database keeps once a snapshot is removed: the WAL from this one on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Trim {
    database: String,
    oldest: Option<String>,
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
                Some(instance) => Plan::wait(format!("{} is still being restored from it", instance.id)),
                None if is_being_copied(image, &snapshot) => Plan::wait("a copy of it is being made"),
                None => {
                    let trim = trim(image, &snapshot);
                    Plan::Step(Step::Remove { copy: snapshot.copy.clone(), trim })
                }
            };
        }
        if image.has::<SnapshotSeen>(key) {
            return Plan::Done;
        }
        if let Some(source) = &snapshot.copy_of {
            let (from, copy) = (source.copy.clone(), snapshot.copy.clone());
            return Plan::Step(Step::Copy { from, copy });
        }
        let instance = image.get::<Instance>(&snapshot.instance);
        match instance.filter(|i| i.resource_id == snapshot.resource_id) {
            None => Plan::wait("its instance no longer exists"),
            Some(instance) if !is_created(&instance.id) => Plan::wait("its instance is being created"),
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
                let (config, now) = (executor.cloud.config.clone(), executor.cloud.clock.now());
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
            Step::Copy { from, copy } => {
                let made = executor.plane()?.copy_snapshot(&from, &copy).await?;
                let (config, now) = (executor.cloud.config.clone(), executor.cloud.clock.now());
                executor.store.write(|tx| {
                    if tx.has::<Snapshot>(key) {
                        tx.put(SnapshotSeen { id: key.into(), size_bytes: made.size_bytes, at: now });
                        events::snapshot(tx, &config, now, key, "notification", "Finished copy of snapshot");
                    }
                    Ok::<(), StoreError>(())
                })?;
            }
            Step::Remove { copy, trim } => {
                // Without a plane, only a snapshot that was never taken can be removed. Else `plane()` returns the error.
                if let Ok(plane) = executor.plane() {
                    plane.delete_snapshot(&copy).await?;
                    if let Some(trim) = trim {
                        plane.trim(&trim.database, trim.oldest.as_deref()).await?;
                    }
                } else if executor.store.read().has::<SnapshotSeen>(key) {
                    executor.plane()?;
                }
                let (config, now) = (executor.cloud.config.clone(), executor.cloud.clock.now());
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

fn is_being_copied(image: &Image, snapshot: &Snapshot) -> bool {
    let is_source = |s: &Snapshot| s.copy_of.as_ref().is_some_and(|c| c.copy == snapshot.copy);
    image.scan::<Snapshot>().any(|s| is_source(&s) && !s.deleted && !image.has::<SnapshotSeen>(&s.id))
}

/// The archive begins with the oldest automated snapshot, or with one that a restoration under way replays it on. Manual
/// snapshots are kept forever and would keep all WAL.
fn trim(image: &Image, removed: &Snapshot) -> Option<Trim> {
    let instance = image.scan::<Instance>().find(|i| i.resource_id == removed.resource_id)?;
    let is_created = |i: &Instance| image.get::<InstanceSeen>(&i.id).is_some_and(|s| s.enacted.is_some());
    let is_replayed = |copy: &String| {
        image
            .scan::<Instance>()
            .any(|i| i.recover.is_some() && i.restore_from.as_ref() == Some(copy) && !is_created(&i))
    };
    let oldest = image
        .scan::<Snapshot>()
        .filter(|s| s.resource_id == removed.resource_id && s.id != removed.id)
        .filter(|s| s.kind == SnapshotKind::Automated || is_replayed(&s.copy))
        .filter_map(|s| Some((image.get::<SnapshotSeen>(&s.id)?.at, s.copy.clone())))
        .min();
    // An archive that is still needed before its first snapshot is complete stays as it is.
    let is_off = instance.backup_retention_days == 0;
    (oldest.is_some() || is_off)
        .then(|| Trim { database: plane_name(&instance), oldest: oldest.map(|(_, copy)| copy) })
}

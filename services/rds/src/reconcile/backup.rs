//! Automated snapshots: one after creation, then one per day at the start of the backup window. Each is kept for the retention
//! period.

use super::Executor;
use crate::{events, provision, windows};
use escale_base::Timestamp;
use escale_engine::{Plan, Reconciler, StepError};
use escale_service::Caller;
use escale_store::{Change, Image, Row};
use escale_tables::rds::{Instance, InstanceSeen, Snapshot, SnapshotKind, SnapshotSeen};
use std::{collections::BTreeSet, sync::Arc};

pub(crate) struct Backups(pub(crate) Arc<Executor>);

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Begin,
    /// Delete these snapshots: they are older than the retention period.
    Expire(Vec<String>),
}

impl Reconciler for Backups {
    type Step = Step;
    const NAME: &'static str = "rds-backup";
    const WATCHES: &'static [&'static str] = &[Instance::TABLE, InstanceSeen::TABLE];

    fn concerned(&self, _: &Image, change: &Change) -> BTreeSet<String> {
        BTreeSet::from([change.key.clone()])
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        image.keys(Instance::TABLE).cloned().collect()
    }

    fn plan(&self, image: &Image, key: &str, now: Timestamp) -> Plan<Step> {
        let Some(instance) = image.get::<Instance>(key) else { return Plan::Done };
        let is_created = image.get::<InstanceSeen>(key).is_some_and(|s| s.enacted.is_some() && s.writable);
        let automated: Vec<Arc<Snapshot>> = image
            .scan::<Snapshot>()
            .filter(|s| {
                s.resource_id == instance.resource_id && s.kind == SnapshotKind::Automated && !s.deleted
            })
            .collect();
        let retention_ms = i64::from(instance.backup_retention_days) * DAY_MS;
        let is_over = |s: &Snapshot| now.since_ms(s.created) >= retention_ms;
        // Every moment of the retention period can be restored only with a snapshot from before it: the newest of those stays.
        let complete = |s: &Snapshot| image.has::<SnapshotSeen>(&s.id);
        let first = automated.iter().filter(|s| is_over(s) && complete(s)).map(|s| s.created).max();
        let is_expired =
            |s: &Snapshot| instance.backup_retention_days == 0 || first.is_some_and(|at| s.created < at);
        let expired = automated.iter().filter(|s| is_expired(s));
        let expired: Vec<String> = expired.map(|s| s.id.clone()).collect();
        if instance.deletion.is_some() {
            return Plan::Done;
        }
        if !expired.is_empty() {
            return Plan::Step(Step::Expire(expired));
        }
        if instance.backup_retention_days == 0 || !instance.running || !is_created {
            return Plan::Done;
        }
        let window = windows::backup_begin(&instance.recorded.backup_window, now);
        match automated.iter().map(|s| s.created).max() {
            Some(last) if last >= window => {
                Plan::wait_until(window.plus_ms(DAY_MS), "the next backup window has not begun")
            }
            // If the daemon did not run at the start of the window, the snapshot is taken late.
            _ => Plan::Step(Step::Begin),
        }
    }

    async fn act(&self, key: &str, step: Step) -> Result<(), StepError> {
        let executor = &self.0;
        let work = executor.cloud.transact(&executor.store, &Caller::service(provision::PRINCIPAL), |cx| {
            let Some(instance) = cx.tx.get::<Instance>(key) else { return Ok(()) };
            match step {
                Step::Begin => {
                    // AWS's format, such as rds:shop-2026-11-22-03-00.
                    let at: String = cx.now.iso8601().chars().take(16).collect();
                    let id = format!("rds:{key}-{}", at.replace(['T', ':'], "-"));
                    if !cx.tx.has::<Snapshot>(&id) {
                        // Only the row: the reconciler of snapshots copies the data.
                        let row = provision::snapshot(cx, &instance, id, SnapshotKind::Automated, vec![])?;
                        let message = "Creating automated snapshot";
                        events::snapshot(cx.tx, cx.config, cx.now, &row.id, "creation", message);
                    }
                }
                Step::Expire(ids) => {
                    for id in ids {
                        cx.tx.update(&id, |s: &mut Snapshot| s.deleted = true);
                    }
                }
            }
            Ok(())
        });
        work.map_err(|e| e.0.into())
    }
}

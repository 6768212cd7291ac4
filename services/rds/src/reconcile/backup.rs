//! Automated snapshots: one after creation, then one per day at the start of the backup window. Each is kept for the retention
//! period.

use super::Executor;
use crate::provision;
use escale_base::Timestamp;
use escale_engine::{Plan, Reconciler, StepError};
use escale_service::Caller;
use escale_store::{Change, Image, Row};
use escale_tables::rds::{Instance, InstanceSeen, Snapshot, SnapshotKind};
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
        let expired = automated.iter().filter(|s| now.since_ms(s.created) >= retention_ms);
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
        let window = window_begin(&instance.recorded.backup_window, now);
        match automated.iter().map(|s| s.created).max() {
            Some(last) if last >= window => {
                Plan::wait_until(window.plus_ms(DAY_MS), "the next backup window")
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
                        provision::snapshot(cx, &instance, id, SnapshotKind::Automated, vec![])?;
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

/// The last start of the window `hh:mm-hh:mm` (UTC).
fn window_begin(window: &str, now: Timestamp) -> Timestamp {
    let number =
        |range: std::ops::Range<usize>| window.get(range).and_then(|t| t.parse::<i64>().ok()).unwrap_or(0);
    let offset = (number(0..2) * 60 + number(3..5)) * 60_000;
    let midnight = now.0 - now.0.rem_euclid(DAY_MS);
    let today = Timestamp(midnight + offset);
    if today <= now { today } else { today.plus_ms(-DAY_MS) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_starts_today_or_yesterday() {
        let noon = Timestamp(10 * DAY_MS + DAY_MS / 2);
        assert_eq!(window_begin("03:00-04:00", noon).0, 10 * DAY_MS + 3 * 3_600_000);
        assert_eq!(window_begin("13:30-14:00", noon).0, 9 * DAY_MS + 13 * 3_600_000 + 1_800_000);
    }
}

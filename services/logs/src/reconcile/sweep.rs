//! Deletes events that are older than their group's retention, and events of deleted streams.

use escale_base::Timestamp;
use escale_engine::{Periodic, Plan, Reconciler, StepError};
use escale_logstore::LogStore;
use escale_store::{Change, Image, Store};
use escale_tables::logs::{LogGroup, LogStream};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

const DAY_MS: i64 = 24 * 3_600_000;
/// How often it looks for old events. AWS promises to delete them "within 72 hours".
const EVERY_MS: i64 = 3_600_000;

pub(crate) struct Sweep {
    store: Store,
    plane: Arc<dyn LogStore>,
    swept: Periodic<Retention>,
}

/// The retention in days of each stream, by the stream's id.
type Retention = BTreeMap<String, Option<i32>>;

#[derive(Debug, PartialEq)]
pub(crate) struct Step {
    now: Timestamp,
    retention: Retention,
}

impl Reconciler for Sweep {
    type Step = Step;
    const NAME: &'static str = "logs.sweep";
    const WATCHES: &'static [&'static str] = &["logs_group", "logs_stream"];

    fn concerned(&self, image: &Image, _: &Change) -> BTreeSet<String> {
        self.all(image)
    }

    fn all(&self, _: &Image) -> BTreeSet<String> {
        BTreeSet::from(["all".to_owned()])
    }

    fn plan(&self, image: &Image, _: &str, now: Timestamp) -> Plan<Step> {
        let retention = retention(image);
        match self.swept.rests_until(now, &retention) {
            Some(next) => Plan::wait_until(next, "no log event is older than its group's retention"),
            None => Plan::Step(Step { now, retention }),
        }
    }

    async fn act(&self, _: &str, step: Step) -> Result<(), StepError> {
        self.sweep(&step).await?;
        // Only after success, so that a failed sweep is repeated soon and not after an hour.
        self.swept.done(step.now, step.retention);
        Ok(())
    }
}

impl Sweep {
    pub(crate) fn new(store: Store, plane: Arc<dyn LogStore>) -> Sweep {
        Sweep { store, plane, swept: Periodic::new(EVERY_MS) }
    }

    async fn sweep(&self, step: &Step) -> Result<(), StepError> {
        for stream in self.plane.streams().await? {
            match step.retention.get(&stream) {
                Some(Some(days)) => {
                    let before = step.now.plus_ms(-i64::from(*days) * DAY_MS);
                    self.plane.expire(&stream, before).await?;
                }
                Some(None) => {}
                // The stream was created after this plan, so it is not a deleted one.
                None if retention(&self.store.read()).contains_key(&stream) => {}
                None => self.plane.forget(&stream).await?,
            }
        }
        Ok(())
    }
}

fn retention(image: &Image) -> Retention {
    let days = |s: &LogStream| image.get::<LogGroup>(&s.group).and_then(|g| g.retention_days);
    image.scan::<LogStream>().map(|s| (s.id.to_string(), days(&s))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use escale_base::Clock;
    use escale_faults::{Driven, Fate, Risky, Stage, survives_failure_at_each_step, survives_repeat};
    use escale_logstore::{Fake, Message};

    #[tokio::test]
    async fn deletes_old_events_and_events_of_deleted_streams() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state.db"), escale_tables::logs::TABLES).unwrap();
        let plane = Arc::new(Fake::default());
        let now = Timestamp(100 * DAY_MS);
        let group = |name: &str, retention_days| LogGroup {
            name: name.into(),
            retention_days,
            class: escale_tables::logs::LogGroupClass::Standard,
            tags: vec![],
            created: now,
        };
        let stream = |group: &str, id: &str| LogStream {
            group: group.into(),
            name: "s".into(),
            id: id.into(),
            created: now,
        };
        store
            .write(|tx| {
                tx.put(group("short", Some(1)));
                tx.put(group("long", None));
                tx.put(stream("short", "a"));
                tx.put(stream("long", "b"));
                Ok::<_, escale_store::StoreError>(())
            })
            .unwrap();
        for id in ["a", "b", "deleted"] {
            let old = Message { at: Timestamp(98 * DAY_MS), text: "old".into() };
            let new = Message { at: now, text: "new".into() };
            plane.append(id, vec![old, new], now).await.unwrap();
        }
        let sweep = Sweep::new(store.clone(), plane.clone());
        let Plan::Step(step) = sweep.plan(&store.read(), "all", now) else { panic!("it must sweep") };
        sweep.act("all", step).await.unwrap();
        assert!(matches!(sweep.plan(&store.read(), "all", now), Plan::Wait { until: Some(_), .. }));
        let ids = ["a".to_owned(), "b".to_owned()];
        let left = plane.summaries(&ids).await.unwrap();
        assert_eq!((left["a"].bytes, left["b"].bytes), (3, 6));
        assert_eq!(plane.streams().await.unwrap().len(), 2);
        store
            .write(|tx| {
                tx.put(group("long", Some(1)));
                Ok::<_, escale_store::StoreError>(())
            })
            .unwrap();
        let again = sweep.plan(&store.read(), "all", now);
        assert!(matches!(again, Plan::Step(_)), "a changed retention triggers a sweep at once: {again:?}");
    }

    struct Harness {
        store: Store,
        clock: Clock,
        plane: Arc<Fake>,
        sweep: Sweep,
        _dir: tempfile::TempDir,
    }

    #[async_trait]
    impl Stage for Harness {
        fn store(&self) -> &Store {
            &self.store
        }
        fn clock(&self) -> &Clock {
            &self.clock
        }
        fn reconcilers(&self) -> Vec<&dyn Driven> {
            vec![&self.sweep]
        }
        async fn world(&self) -> String {
            format!("{:?}", self.plane.streams().await)
        }
    }

    async fn deleted_streams(fate: Arc<dyn Fate>) -> Harness {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state.db"), escale_tables::logs::TABLES).unwrap();
        let plane = Arc::new(Fake::default());
        let now = Timestamp(100 * DAY_MS);
        for id in ["a", "b"] {
            plane.append(id, vec![Message { at: now, text: "said".into() }], now).await.unwrap();
        }
        let risky = Risky::new(&plane, &fate);
        let sweep = Sweep::new(store.clone(), risky);
        Harness { store, clock: Clock::by_hand(now), plane, sweep, _dir: dir }
    }

    #[tokio::test]
    async fn sweep_survives_repetition_and_failure_at_each_step() {
        survives_repeat(deleted_streams).await;
        survives_failure_at_each_step(deleted_streams).await;
    }
}

use super::*;
use escale_base::Clock;
use escale_store::{Row, Store, StoreError, TableDef};
use serde::{Deserialize, Serialize};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// A lamp with the desired and the observed state of its light.
#[derive(Clone, Serialize, Deserialize)]
struct Lamp {
    name: String,
    wished: bool,
    seen: bool,
}

impl Row for Lamp {
    const TABLE: &'static str = "lamp";
    fn key(&self) -> String {
        self.name.clone()
    }
}

struct Lighter {
    store: Store,
    failures: AtomicU32,
    tries: Arc<AtomicU32>,
}

impl Reconciler for Lighter {
    type Step = bool;
    const NAME: &'static str = "lighter";
    const WATCHES: &'static [&'static str] = &["lamp"];

    fn concerned(&self, _: &Image, change: &Change) -> BTreeSet<String> {
        [change.key.clone()].into()
    }
    fn all(&self, image: &Image) -> BTreeSet<String> {
        image.scan::<Lamp>().map(|l| l.name.clone()).collect()
    }
    fn plan(&self, image: &Image, key: &str, _: Timestamp) -> Plan<bool> {
        match image.get::<Lamp>(key) {
            Some(lamp) if lamp.wished != lamp.seen => Plan::Step(lamp.wished),
            _ => Plan::Done,
        }
    }
    async fn act(&self, key: &str, burn: bool) -> Result<(), StepError> {
        self.tries.fetch_add(1, Ordering::SeqCst);
        if self.failures.load(Ordering::SeqCst) > 0 {
            self.failures.fetch_sub(1, Ordering::SeqCst);
            return Err(StepError::new("no match"));
        }
        self.store.write::<_, StoreError>(|tx| {
            tx.update::<Lamp, _>(key, |l| l.seen = burn);
            Ok(())
        })?;
        Ok(())
    }
}

async fn until(store: &Store, seen: bool) {
    let mut changes = store.subscribe(&["lamp"]);
    while store.read().get::<Lamp>("hall").is_none_or(|l| l.seen != seen) {
        changes.changed().await;
    }
}

#[tokio::test]
async fn reaches_desired_state_despite_failures() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("s.db"), &[TableDef::of::<Lamp>()]).unwrap();
    let wish = |wished| {
        store
            .write::<_, StoreError>(|tx| {
                let seen = tx.get::<Lamp>("hall").is_some_and(|l| l.seen);
                tx.put(Lamp { name: "hall".into(), wished, seen });
                Ok(())
            })
            .unwrap();
    };
    wish(true);
    let mut engine = Engine::new(store.clone(), Clock::machine());
    let tries = Arc::new(AtomicU32::new(0));
    engine.add(Lighter { store: store.clone(), failures: AtomicU32::new(2), tries: Arc::clone(&tries) });
    until(&store, true).await;
    assert_eq!(tries.load(Ordering::SeqCst), 3, "two failures, then light");
    wish(false);
    until(&store, false).await;
    let pending_reasons = engine.pending_reasons();
    while !pending_reasons.list().is_empty() {
        tokio::task::yield_now().await;
    }
}

/// Waits for an hour with the lamp of the hall.
struct Sleeper(tokio::sync::mpsc::UnboundedSender<()>);

impl Reconciler for Sleeper {
    type Step = ();
    const NAME: &'static str = "sleeper";
    const WATCHES: &'static [&'static str] = &["lamp"];

    fn concerned(&self, _: &Image, change: &Change) -> BTreeSet<String> {
        Some(change.key.clone()).filter(|key| key == "hall").into_iter().collect()
    }
    fn all(&self, _: &Image) -> BTreeSet<String> {
        ["hall".to_owned()].into()
    }
    fn plan(&self, _: &Image, _: &str, now: Timestamp) -> Plan<()> {
        let _ = self.0.send(());
        Plan::wait_until(now.plus_ms(3_600_000), "the morning")
    }
    async fn act(&self, _: &str, (): ()) -> Result<(), StepError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_worker_that_waits_keeps_no_replaced_rows() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("s.db"), &[TableDef::of::<Lamp>()]).unwrap();
    let put = |name: &str, wished| {
        let row = Lamp { name: name.into(), wished, seen: false };
        let written = store.write::<(), StoreError>(|tx| {
            tx.put(row);
            Ok(())
        });
        written.unwrap();
    };
    put("hall", true);
    put("cellar", true);
    let (planned, mut plans) = tokio::sync::mpsc::unbounded_channel();
    let mut engine = Engine::new(store.clone(), Clock::machine());
    engine.add(Sleeper(planned));
    plans.recv().await.unwrap();
    let cellar = Arc::downgrade(&store.read().get::<Lamp>("cellar").unwrap());
    put("cellar", false);
    // The worker continues from its plan to its wait.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(cellar.upgrade().is_none(), "the row that was replaced is still in memory");
}

/// A row of a table that no plan reads.
#[derive(Clone, Serialize, Deserialize)]
struct Chair(String);

impl Row for Chair {
    const TABLE: &'static str = "chair";
    fn key(&self) -> String {
        self.0.clone()
    }
}

/// Waits until the lamp of the hall burns; watches everything.
struct Watcher(tokio::sync::mpsc::UnboundedSender<()>);

impl Reconciler for Watcher {
    type Step = ();
    const NAME: &'static str = "watcher";
    const WATCHES: &'static [&'static str] = escale_store::ALL_TABLES;

    fn concerned(&self, image: &Image, _: &Change) -> BTreeSet<String> {
        self.all(image)
    }
    fn all(&self, _: &Image) -> BTreeSet<String> {
        ["hall".to_owned()].into()
    }
    fn plan(&self, image: &Image, key: &str, _: Timestamp) -> Plan<()> {
        let _ = self.0.send(());
        match image.get::<Lamp>(key) {
            Some(lamp) if lamp.seen => Plan::Done,
            _ => Plan::wait("darkness"),
        }
    }
    async fn act(&self, _: &str, (): ()) -> Result<(), StepError> {
        Ok(())
    }
}

#[tokio::test]
async fn key_that_waits_is_planned_again_only_after_a_change_of_what_it_read() {
    let dir = tempfile::tempdir().unwrap();
    let tables = [TableDef::of::<Lamp>(), TableDef::of::<Chair>()];
    let store = Store::open(&dir.path().join("s.db"), &tables).unwrap();
    let lamp = |name: &str, seen| Lamp { name: name.into(), wished: true, seen };
    let (planned, mut plans) = tokio::sync::mpsc::unbounded_channel();
    let mut engine = Engine::new(store.clone(), Clock::machine());
    engine.add(Watcher(planned));
    plans.recv().await.unwrap();
    // The reason is set when the plan is complete.
    let waits = engine.pending_reasons();
    while waits.list().is_empty() {
        tokio::task::yield_now().await;
    }
    let mut plans_after = async |write: &dyn Fn(&mut escale_store::Tx)| {
        let written = store.write::<(), StoreError>(|tx| {
            write(tx);
            Ok(())
        });
        written.unwrap();
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        std::iter::from_fn(|| plans.try_recv().ok()).count()
    };
    assert_eq!(plans_after(&|tx| tx.put(Chair("hall".into()))).await, 0, "another table");
    assert_eq!(plans_after(&|tx| tx.put(lamp("cellar", true))).await, 0, "another row");
    assert_eq!(plans_after(&|tx| tx.put(lamp("hall", false))).await, 1, "the row, which did not exist");
    assert_eq!(plans_after(&|tx| tx.put(Chair("hall".into()))).await, 0, "another table again");
    assert_eq!(plans_after(&|tx| tx.put(lamp("hall", true))).await, 1, "the row");
    assert_eq!(plans_after(&|tx| tx.put(Chair("hall".into()))).await, 1, "a key that does not wait");
}

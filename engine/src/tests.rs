use super::*;
use escale_base::Clock;
use escale_store::{Row, Store, StoreError, TableDef};
use serde::{Deserialize, Serialize};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// A lamp that shall burn, and whether it does.
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
async fn wishes_come_true_in_spite_of_failures() {
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
    let troubles = engine.troubles();
    while !troubles.list().is_empty() {
        tokio::task::yield_now().await;
    }
}

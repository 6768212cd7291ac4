use super::*;
use async_trait::async_trait;
use escale_faults::{Driven, Fate, FaultAt, Risky, Stage, survives_failure_at_each_step, survives_repeat};
use escale_objects::{Fake, Limits, Objects as _, Put};
use escale_store::StoreError;
use escale_tables::s3::Versioning;

struct Shelf {
    store: Store,
    clock: Clock,
    plane: Arc<Fake>,
    removals: Removals,
    _dir: tempfile::TempDir,
}

#[async_trait]
impl Stage for Shelf {
    fn store(&self) -> &Store {
        &self.store
    }
    fn clock(&self) -> &Clock {
        &self.clock
    }
    fn reconcilers(&self) -> Vec<&dyn Driven> {
        vec![&self.removals]
    }
    async fn world(&self) -> String {
        let rows: Vec<_> = self.store.read().scan::<Bucket>().map(|b| (b.name.clone(), b.deleting)).collect();
        let seen: Vec<_> = self.store.read().scan::<BucketSeen>().map(|b| b.name.clone()).collect();
        let buckets = self.plane.list_buckets().await.unwrap();
        let there: Vec<_> = buckets.iter().map(|b| b.name.as_str()).collect();
        format!("rows {rows:?}, not deleted {seen:?}, there {there:?}")
    }
}

/// One bucket that stays, and three that are to go: an empty one, one with an object, and one that the plane never heard of.
async fn shelf(fate: Arc<dyn Fate>) -> Shelf {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("state.db"), escale_tables::s3::TABLES).unwrap();
    let clock = Clock::by_hand(Timestamp(1));
    let plane = Arc::new(Fake::new(clock.clone(), Limits::default()));
    for name in ["empty", "full", "kept"] {
        plane.create_bucket(name).await.unwrap();
    }
    plane.put("full", "key", Put::default(), escale_objects::body("bytes")).await.unwrap();
    for name in ["empty", "full", "kept", "unused"] {
        let row = Bucket {
            name: name.into(),
            created: clock.now(),
            versioning: Versioning::Off,
            policy: None,
            public_access_block: None,
            tags: Vec::new(),
            bucket_key: false,
            deleting: name != "kept",
        };
        let put = store.write(|tx| {
            tx.put(row);
            Ok::<_, StoreError>(())
        });
        put.unwrap();
    }
    let buckets = Arc::new(Buckets::new(Risky::new(&plane, &fate)));
    let removals = Removals { store: store.clone(), clock: clock.clone(), buckets };
    Shelf { store, clock, plane, removals, _dir: dir }
}

#[tokio::test]
async fn what_is_empty_goes_and_what_is_not_is_told() {
    let shelf = shelf(Arc::new(FaultAt::never())).await;
    let plan = |name: &str| shelf.removals.plan(&shelf.store.read(), name, Timestamp(1));
    let all = shelf.removals.all(&shelf.store.read());
    for name in all {
        let Plan::Step(step) = plan(&name) else { panic!("{name} is to go") };
        shelf.removals.act(&name, step).await.unwrap();
        assert_eq!(plan(&name), Plan::Done, "{name}");
    }
    let left = r#"rows [("full", false), ("kept", false)], not deleted ["full"], there ["full", "kept"]"#;
    assert_eq!(shelf.world().await, left);
}

#[tokio::test]
async fn survives() {
    survives_repeat(shelf).await;
    survives_failure_at_each_step(shelf).await;
}

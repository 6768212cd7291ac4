use super::*;
use async_trait::async_trait;
use escale_faults::{Driven, Fate, FaultAt, Risky, Stage, survives_failure_at_each_step, survives_repeat};
use escale_objects::{Fake, Limits, Objects as _, Put};
use escale_store::StoreError;

struct Rig {
    store: Store,
    clock: Clock,
    plane: Arc<Fake>,
    removals: Removals,
    _dir: tempfile::TempDir,
}

#[async_trait]
impl Stage for Rig {
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
        let rows: Vec<_> =
            self.store.read().scan::<Bucket>().map(|b| (b.name.to_string(), b.deleting)).collect();
        let seen: Vec<_> = self.store.read().scan::<BucketSeen>().map(|b| b.name.to_string()).collect();
        let buckets = self.plane.list_buckets().await.unwrap();
        let existing: Vec<_> = buckets.iter().map(|b| b.name.as_str()).collect();
        format!("rows {rows:?}, not deleted {seen:?}, existing {existing:?}")
    }
}

/// One bucket that is kept, and three that are marked: an empty one, one with an object, and one that the plane does not know.
async fn rig(fate: Arc<dyn Fate>) -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("state.db"), escale_tables::s3::TABLES).unwrap();
    let clock = Clock::by_hand(Timestamp(1));
    let plane = Arc::new(Fake::new(clock.clone(), Limits::default()));
    for name in ["empty", "full", "kept"] {
        plane.create_bucket(name).await.unwrap();
    }
    plane.put("full", "key", Put::default(), escale_objects::body("bytes")).await.unwrap();
    for name in ["empty", "full", "kept", "unused"] {
        let row = Bucket { deleting: name != "kept", ..Bucket::new(name.into(), clock.now()) };
        let put = store.write(|tx| {
            tx.put(row);
            Ok::<_, StoreError>(())
        });
        put.unwrap();
    }
    let buckets = Arc::new(Buckets::new(Risky::new(&plane, &fate)));
    let removals = Removals { store: store.clone(), clock: clock.clone(), buckets };
    Rig { store, clock, plane, removals, _dir: dir }
}

#[tokio::test]
async fn deletes_empty_buckets_and_records_why_others_are_kept() {
    let rig = rig(Arc::new(FaultAt::never())).await;
    let plan = |name: &str| rig.removals.plan(&rig.store.read(), name, Timestamp(1));
    let all = rig.removals.all(&rig.store.read());
    for name in all {
        let Plan::Step(step) = plan(&name) else { panic!("{name} is marked, but has no step") };
        rig.removals.act(&name, step).await.unwrap();
        assert_eq!(plan(&name), Plan::Done, "{name}");
    }
    let left = r#"rows [("full", false), ("kept", false)], not deleted ["full"], existing ["full", "kept"]"#;
    assert_eq!(rig.world().await, left);
}

#[tokio::test]
async fn survives_repeats_and_failures_at_each_step() {
    survives_repeat(rig).await;
    survives_failure_at_each_step(rig).await;
}

use super::*;
use async_trait::async_trait;
use escale_base::{Clock, Wire, wire::Value};
use escale_faults::{Driven, Fate, FaultAt, Risky, Stage, survives_failure_at_each_step, survives_repeat};
use escale_objects::{Fake, Limits, NewUpload, Objects, PAGE, Put, body};
use escale_store::StoreError;
use escale_tables::s3::{TransitionMinimum, Versioning};
use serde_json::json;

const DAY_MS: i64 = 24 * 3_600_000;

struct Rig {
    store: Store,
    clock: Clock,
    plane: Arc<Fake>,
    lifecycles: Lifecycles,
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
        vec![&self.lifecycles]
    }
    async fn world(&self) -> String {
        let seen: Vec<_> = self.store.read().scan::<LifecycleSeen>().map(|s| s.name.to_string()).collect();
        format!("{seen:?} {:?} {:?}", self.versions("files").await, self.versions("versioned").await)
    }
}

impl Rig {
    /// The keys of versions, and of uploads; `-` is before a delete marker.
    async fn versions(&self, bucket: &str) -> Vec<String> {
        let listed = self.plane.list_versions(bucket, &ListVersions::default()).await.unwrap();
        let version =
            |entry: &Entry| format!("{}{}", if entry.is_delete_marker { "-" } else { "" }, entry.key);
        let mut all: Vec<_> = listed.entries.iter().map(version).collect();
        let uploads = self.plane.list_uploads(bucket, &ListUploads::default()).await.unwrap().uploads;
        all.extend(uploads.iter().map(|upload| format!("upload {}", upload.key)));
        all
    }

    async fn put(&self, bucket: &str, key: &str) {
        self.plane.put(bucket, key, Put::default(), body("bytes")).await.unwrap();
    }

    fn plan(&self, bucket: &str) -> Plan<Apply> {
        self.lifecycles.plan(&self.store.read(), bucket, self.clock.now())
    }

    async fn apply(&self, bucket: &str) {
        let Plan::Step(step) = self.plan(bucket) else { panic!("nothing to do for {bucket}") };
        self.lifecycles.act(bucket, step).await.unwrap();
    }
}

fn row(name: &str, versioning: Versioning, rules: Value, put: Timestamp) -> Bucket {
    let rules = rules.as_array().unwrap().iter().map(|rule| LifecycleRule::read(rule).unwrap()).collect();
    let lifecycle = Lifecycle { rules, minimum: TransitionMinimum::All128K, put };
    Bucket { versioning, lifecycle: Some(lifecycle), ..Bucket::new(name.into(), put) }
}

/// Two buckets with old and new objects, an upload, versions, and delete markers.
async fn rig(fate: Arc<dyn Fate>) -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("state.db"), escale_tables::s3::TABLES).unwrap();
    let clock = Clock::by_hand(Timestamp(100 * DAY_MS));
    let plane = Arc::new(Fake::new(clock.clone(), Limits::default()));
    let objects: Arc<dyn Objects> = Risky::new(&plane, &fate);
    let buckets = Arc::new(Buckets::new(objects));
    let lifecycles = Lifecycles { store: store.clone(), buckets };
    let rig = Rig { store, clock, plane, lifecycles, _dir: dir };
    let rules = json!([
        {"Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 3},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3}},
        {"Status": "Enabled", "Filter": {}, "NoncurrentVersionExpiration": {"NoncurrentDays": 3}},
    ]);
    for (name, versioning) in [("files", Versioning::Off), ("versioned", Versioning::Enabled)] {
        rig.plane.create_bucket(name).await.unwrap();
        let row = row(name, versioning, rules.clone(), rig.clock.now());
        let put = rig.store.write(|tx| {
            tx.put(row);
            Ok::<_, StoreError>(())
        });
        put.unwrap();
    }
    rig.plane.set_versioning("versioned", plane::Versioning::Enabled).await.unwrap();
    for bucket in ["files", "versioned"] {
        for key in ["logs/old", "kept", "kept"] {
            rig.put(bucket, key).await;
        }
        rig.plane.create_upload(bucket, "logs/upload", NewUpload::default()).await.unwrap();
    }
    rig.clock.advance_ms(4 * DAY_MS);
    rig.put("files", "logs/new").await;
    rig
}

#[tokio::test]
async fn survives() {
    survives_repeat(rig).await;
    survives_failure_at_each_step(rig).await;
}

#[tokio::test]
async fn removes_what_has_expired() {
    let rig = rig(Arc::new(FaultAt::never())).await;
    assert_eq!(rig.versions("versioned").await, ["kept", "kept", "logs/old", "upload logs/upload"]);
    rig.apply("files").await;
    rig.apply("versioned").await;
    assert_eq!(rig.versions("files").await, ["kept", "logs/new"]);
    // The object has become noncurrent by its delete marker; both go later.
    assert_eq!(rig.versions("versioned").await, ["kept", "-logs/old", "logs/old"]);
    assert!(matches!(rig.plan("versioned"), Plan::Wait { .. }));
    rig.clock.advance_ms(5 * DAY_MS);
    rig.apply("versioned").await;
    assert_eq!(rig.versions("versioned").await, ["kept", "-logs/old"]);
    rig.clock.advance_ms(DAY_MS);
    rig.apply("versioned").await;
    assert_eq!(rig.versions("versioned").await, ["kept"]);
}

#[tokio::test]
async fn removes_the_versions_of_several_pages() {
    let rig = rig(Arc::new(FaultAt::never())).await;
    let more = PAGE + 10;
    for at in 0..more {
        rig.put("files", &format!("logs/{at:05}")).await;
    }
    rig.put("files", "z").await;
    rig.clock.advance_ms(5 * DAY_MS);
    rig.apply("files").await;
    assert_eq!(rig.versions("files").await, ["kept", "z"]);
}

#[tokio::test]
async fn applies_a_changed_versioning_first() {
    let rig = rig(Arc::new(FaultAt::never())).await;
    let changed = rig.store.write(|tx| {
        tx.update::<Bucket, ()>("files", |b| b.versioning = Versioning::Enabled);
        Ok::<_, StoreError>(())
    });
    changed.unwrap();
    rig.apply("files").await;
    assert_eq!(rig.versions("files").await, ["kept", "logs/new", "-logs/old", "logs/old"]);
}

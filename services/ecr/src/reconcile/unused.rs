//! Frees files that no repository needs any more, and pushed layers that never became part of an image.

use escale_base::Timestamp;
use escale_engine::{Periodic, Plan, Reconciler, StepError};
use escale_registry::{COLLECTED_AT_ONCE, Digest, Registry};
use escale_store::{Change, Image, Store};
use escale_tables::{
    ecr::{Repository, RepositoryName},
    ecs::TaskProgress,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

/// How often it looks for files of deleted images and abandoned pushes. This is not urgent.
const EVERY_MS: i64 = 3_600_000;
/// The time that a push may take between its first layer and its manifest.
const PUSH_MS: i64 = 24 * 3_600_000;

pub(super) struct Unused {
    store: Store,
    registry: Arc<dyn Registry>,
    collected: Periodic<Repositories>,
}

/// The existing repositories and their creation times. A change means that a deleted repository may have left files.
type Repositories = BTreeMap<RepositoryName, Timestamp>;

impl Unused {
    pub(super) fn new(store: Store, registry: Arc<dyn Registry>) -> Unused {
        Unused { store, registry, collected: Periodic::new(EVERY_MS) }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Collect {
    now: Timestamp,
    repositories: Repositories,
}

impl Reconciler for Unused {
    type Step = Collect;
    const NAME: &'static str = "ecr unused files";
    const WATCHES: &'static [&'static str] = &["ecr_repository"];

    fn concerned(&self, image: &Image, _: &Change) -> BTreeSet<String> {
        self.all(image)
    }

    fn all(&self, _: &Image) -> BTreeSet<String> {
        BTreeSet::from(["all".to_owned()])
    }

    fn plan(&self, image: &Image, _: &str, now: Timestamp) -> Plan<Collect> {
        let repositories = image.scan::<Repository>().map(|r| (r.name.clone(), r.created)).collect();
        match self.collected.rests_until(now, &repositories) {
            Some(next) => Plan::wait_until(next, "the next search for unused files is not due yet"),
            None => Plan::Step(Collect { now, repositories }),
        }
    }

    async fn act(&self, _: &str, step: Collect) -> Result<(), StepError> {
        self.collect().await?;
        // Only after success, so that a failed collection is repeated soon and not after an hour.
        self.collected.done(step.now, step.repositories);
        Ok(())
    }
}

impl Unused {
    /// Frees a limited number of files at a time, so that pushes and pulls can run in between.
    async fn collect(&self) -> Result<(), StepError> {
        loop {
            // Read again for each piece: a task may have started since the last one.
            let keep = images_in_use(&self.store.read());
            let freed = self.registry.collect(keep, PUSH_MS).await;
            let freed = freed.map_err(|e| StepError::new(format!("cannot free unused image files: {e}")))?;
            if freed.files > 0 {
                tracing::info!(files = freed.files, bytes = freed.size_bytes, "freed unused image files");
            }
            if freed.files < COLLECTED_AT_ONCE {
                return Ok(());
            }
        }
    }
}

/// The images of tasks that have not stopped. Their files stay, even after the image was deleted.
fn images_in_use(image: &Image) -> HashSet<Digest> {
    let tasks = image.scan::<TaskProgress>().filter(|p| p.stopped.is_none());
    tasks.flat_map(|p| p.images.values().filter_map(|d| d.parse().ok()).collect::<Vec<_>>()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_base::Clock;
    use escale_registry::{Fake, Reference, RepositorySpec};
    use escale_tables::ecr::Deletion;

    const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

    struct Harness {
        _dir: tempfile::TempDir,
        store: Store,
        clock: Clock,
        registry: Arc<Fake>,
        unused: Unused,
    }

    impl Harness {
        async fn new() -> Harness {
            let dir = tempfile::tempdir().unwrap();
            let tables = [escale_tables::ecr::TABLES, escale_tables::ecs::TABLES].concat();
            let store = Store::open(&dir.path().join("state.db"), &tables).unwrap();
            let clock = Clock::by_hand(Timestamp(100 * PUSH_MS));
            let registry = Arc::new(Fake::new(clock.clone()));
            registry.create_repository("shop", RepositorySpec { immutable_tags: false }).await.unwrap();
            let unused = Unused::new(store.clone(), registry.clone());
            let harness = Harness { _dir: dir, store, clock, registry, unused };
            harness.put(Repository {
                name: "shop".into(),
                created: harness.clock.now(),
                immutable_tags: false,
                scan_on_push: false,
                policy: None,
                lifecycle: None,
                tags: Vec::new(),
                empty_on_delete: false,
                deletion: Deletion::No,
            });
            harness
        }

        fn put<R: escale_store::Row>(&self, row: R) {
            let put = self.store.write(|tx| {
                tx.put(row);
                Ok::<_, StepError>(())
            });
            put.unwrap();
        }

        async fn blob(&self, bytes: &str) -> Digest {
            let bytes = bytes.to_owned();
            let digest = Digest::of(bytes.as_bytes());
            let id = self.registry.start_upload("shop").await.unwrap();
            let body = Box::pin(futures_util::stream::iter([Ok(bytes.into())]));
            self.registry.append("shop", &id, None, body).await.unwrap();
            self.registry.finish_upload("shop", &id, &digest).await.unwrap();
            digest
        }

        /// Pushes an image of three files: manifest, configuration and layer.
        async fn image(&self) -> Digest {
            let part = |digest: Digest, size: usize| serde_json::json!({"mediaType": "x", "digest": digest.to_string(), "size": size});
            let (config, layer) = (self.blob("{}").await, self.blob("layer").await);
            let manifest = serde_json::json!({"schemaVersion": 2, "mediaType": IMAGE, "config": part(config, 2), "layers": [part(layer, 5)]});
            let tag = Reference::Tag("1".into());
            self.registry.put_image("shop", &tag, IMAGE, manifest.to_string().as_bytes()).await.unwrap();
            self.registry.resolve("shop", &tag).await.unwrap()
        }

        /// Plans and acts once, as the engine does after a wake-up. Returns the next plan.
        async fn wake(&self) -> Plan<Collect> {
            let plan = || self.unused.plan(&self.store.read(), "all", self.clock.now());
            if let Plan::Step(step) = plan() {
                self.unused.act("all", step).await.unwrap();
            }
            plan()
        }

        /// The number of unused files: a collection that keeps nothing frees them.
        async fn left(&self) -> usize {
            self.registry.collect(HashSet::new(), PUSH_MS).await.unwrap().files
        }
    }

    #[tokio::test]
    async fn files_of_a_deleted_image_are_freed_at_the_next_collection() {
        let b = Harness::new().await;
        let digest = Reference::Digest(b.image().await);
        b.clock.advance_ms(PUSH_MS + 1);
        let next = b.clock.now().plus_ms(EVERY_MS);
        assert_eq!(b.wake().await, Plan::wait_until(next, "the next search for unused files is not due yet"));
        assert!(b.registry.manifest("shop", &digest).await.is_ok());
        b.registry.delete_image("shop", &digest).await.unwrap();
        b.clock.advance_ms(EVERY_MS);
        b.wake().await;
        assert_eq!(b.left().await, 0);
    }

    #[tokio::test]
    async fn image_of_a_task_stays_until_the_task_stops() {
        for (stopped, left) in [(false, 3), (true, 0)] {
            let b = Harness::new().await;
            let images = [("web".to_owned(), b.image().await.to_string())].into();
            let stopped = stopped.then(|| b.clock.now());
            b.put(TaskProgress { id: "t".into(), images, stopped, ..TaskProgress::default() });
            b.registry.delete_repository("shop").await.unwrap();
            b.wake().await;
            assert_eq!(b.left().await, left, "stopped: {stopped:?}");
        }
    }

    #[tokio::test]
    async fn deleted_repository_triggers_a_collection_at_once() {
        let b = Harness::new().await;
        b.wake().await;
        let plan = || b.unused.plan(&b.store.read(), "all", b.clock.now());
        assert!(matches!(plan(), Plan::Wait { .. }), "the repository still exists");
        b.store.write(|tx| Ok::<_, StepError>(tx.delete::<Repository>("shop"))).unwrap();
        let change = Change { table: "ecr_repository", key: "shop".into() };
        assert!(!b.unused.concerned(&b.store.read(), &change).is_empty());
        assert_eq!(plan(), Plan::Step(Collect { now: b.clock.now(), repositories: Repositories::new() }));
    }

    #[tokio::test]
    async fn many_files_are_freed_in_pieces() {
        let b = Harness::new().await;
        for n in 0..2 * COLLECTED_AT_ONCE + 1 {
            b.blob(&n.to_string()).await;
        }
        b.clock.advance_ms(PUSH_MS + 1);
        b.wake().await;
        assert_eq!(b.left().await, 0);
    }

    #[tokio::test]
    async fn push_in_progress_keeps_its_files() {
        let b = Harness::new().await;
        let layer = b.blob("layer").await;
        b.clock.advance_ms(PUSH_MS - 1);
        b.wake().await;
        assert_eq!(b.registry.blob_size("shop", &layer).await.unwrap(), 5);
        b.clock.advance_ms(EVERY_MS);
        b.wake().await;
        assert!(b.registry.blob_size("shop", &layer).await.is_err());
    }
}

//! Frees the disk of what no repository has any more, and of what was pushed and never became part of an image.

use escale_base::Timestamp;
use escale_engine::{Periodic, Plan, Reconciler, StepError};
use escale_registry::{COLLECTED_AT_ONCE, Digest, Registry};
use escale_store::{Change, Image, Store};
use escale_tables::{ecr::Repository, ecs::TaskProgress};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

/// How often it looks for images that were deleted, and pushes that were given up. Nobody waits for the disk.
const EVERY_MS: i64 = 3_600_000;
/// A push may take this long between its first layer and its manifest.
const PUSH_MS: i64 = 24 * 3_600_000;

pub(super) struct Unused {
    store: Store,
    registry: Arc<dyn Registry>,
    collected: Periodic<Repositories>,
}

/// Which there are, and since when: one that has gone leaves files.
type Repositories = BTreeMap<String, Timestamp>;

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
            Some(next) => Plan::wait_until(next, "files to become unused"),
            None => Plan::Step(Collect { now, repositories }),
        }
    }

    async fn act(&self, _: &str, step: Collect) -> Result<(), StepError> {
        self.collect().await?;
        self.collected.done(step.now, step.repositories);
        Ok(())
    }
}

impl Unused {
    /// A piece at a time, so that pushes and pulls get between.
    async fn collect(&self) -> Result<(), StepError> {
        loop {
            let keep = running(&self.store.read());
            let freed = self.registry.collect(keep, PUSH_MS).await;
            let freed = freed.map_err(|e| StepError::new(format!("cannot free unused image files: {e}")))?;
            if freed.files > 0 {
                tracing::info!(files = freed.files, bytes = freed.size_bytes, "unused image files are gone");
            }
            if freed.files < COLLECTED_AT_ONCE {
                return Ok(());
            }
        }
    }
}

/// Images of tasks: they outlive their deletion here for as long as a task runs on them.
fn running(image: &Image) -> HashSet<Digest> {
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

    struct Bench {
        _dir: tempfile::TempDir,
        store: Store,
        clock: Clock,
        registry: Arc<Fake>,
        unused: Unused,
    }

    impl Bench {
        async fn new() -> Bench {
            let dir = tempfile::tempdir().unwrap();
            let tables = [escale_tables::ecr::TABLES, escale_tables::ecs::TABLES].concat();
            let store = Store::open(&dir.path().join("state.db"), &tables).unwrap();
            let clock = Clock::by_hand(Timestamp(100 * PUSH_MS));
            let registry = Arc::new(Fake::new(clock.clone()));
            registry.create_repository("shop", RepositorySpec { immutable_tags: false }).await.unwrap();
            let unused = Unused::new(store.clone(), registry.clone());
            let bench = Bench { _dir: dir, store, clock, registry, unused };
            bench.put(Repository {
                name: "shop".into(),
                created: bench.clock.now(),
                immutable_tags: false,
                policy: None,
                tags: Vec::new(),
                empty_on_delete: false,
                deletion: Deletion::No,
            });
            bench
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

        /// Of three files: manifest, configuration and layer.
        async fn image(&self) -> Digest {
            let part = |digest: Digest, size: usize| serde_json::json!({"mediaType": "x", "digest": digest.to_string(), "size": size});
            let (config, layer) = (self.blob("{}").await, self.blob("layer").await);
            let manifest = serde_json::json!({"schemaVersion": 2, "mediaType": IMAGE, "config": part(config, 2), "layers": [part(layer, 5)]});
            let tag = Reference::Tag("1".into());
            self.registry.put_image("shop", &tag, IMAGE, manifest.to_string().as_bytes()).await.unwrap();
            self.registry.resolve("shop", &tag).await.unwrap()
        }

        /// What the engine does when it is woken.
        async fn wake(&self) -> Plan<Collect> {
            let plan = || self.unused.plan(&self.store.read(), "all", self.clock.now());
            if let Plan::Step(step) = plan() {
                self.unused.act("all", step).await.unwrap();
            }
            plan()
        }

        /// Files that no repository has: what a collection that keeps nothing frees.
        async fn left(&self) -> usize {
            self.registry.collect(HashSet::new(), PUSH_MS).await.unwrap().files
        }
    }

    #[tokio::test]
    async fn a_deleted_image_goes_at_the_next_look() {
        let b = Bench::new().await;
        let digest = Reference::Digest(b.image().await);
        b.clock.advance_ms(PUSH_MS + 1);
        let next = b.clock.now().plus_ms(EVERY_MS);
        assert_eq!(b.wake().await, Plan::wait_until(next, "files to become unused"));
        assert!(b.registry.manifest("shop", &digest).await.is_ok());
        b.registry.delete_image("shop", &digest).await.unwrap();
        b.clock.advance_ms(EVERY_MS);
        b.wake().await;
        assert_eq!(b.left().await, 0);
    }

    #[tokio::test]
    async fn what_a_task_runs_on_stays_until_it_stops() {
        for (stopped, left) in [(false, 3), (true, 0)] {
            let b = Bench::new().await;
            let images = [("web".to_owned(), b.image().await.to_string())].into();
            let stopped = stopped.then(|| b.clock.now());
            b.put(TaskProgress { id: "t".into(), images, stopped, ..TaskProgress::default() });
            b.registry.delete_repository("shop").await.unwrap();
            b.wake().await;
            assert_eq!(b.left().await, left, "stopped: {stopped:?}");
        }
    }

    #[tokio::test]
    async fn a_repository_that_goes_is_looked_after_at_once() {
        let b = Bench::new().await;
        b.wake().await;
        let plan = || b.unused.plan(&b.store.read(), "all", b.clock.now());
        assert!(matches!(plan(), Plan::Wait { .. }), "it is still there");
        b.store.write(|tx| Ok::<_, StepError>(tx.delete::<Repository>("shop"))).unwrap();
        let change = Change { table: "ecr_repository", key: "shop".into() };
        assert!(!b.unused.concerned(&b.store.read(), &change).is_empty());
        assert_eq!(plan(), Plan::Step(Collect { now: b.clock.now(), repositories: Repositories::new() }));
    }

    #[tokio::test]
    async fn many_go_in_pieces() {
        let b = Bench::new().await;
        for n in 0..2 * COLLECTED_AT_ONCE + 1 {
            b.blob(&n.to_string()).await;
        }
        b.clock.advance_ms(PUSH_MS + 1);
        b.wake().await;
        assert_eq!(b.left().await, 0);
    }

    #[tokio::test]
    async fn a_push_under_way_is_left_alone() {
        let b = Bench::new().await;
        let layer = b.blob("layer").await;
        b.clock.advance_ms(PUSH_MS - 1);
        b.wake().await;
        assert_eq!(b.registry.blob_size("shop", &layer).await.unwrap(), 5);
        b.clock.advance_ms(EVERY_MS);
        b.wake().await;
        assert!(b.registry.blob_size("shop", &layer).await.is_err());
    }
}

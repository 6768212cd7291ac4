//! Tests of the reconcilers with repetitions and faults.

use super::{removals::Removals, unused::Unused};
use crate::Repositories;
use async_trait::async_trait;
use escale_base::{Clock, Timestamp};
use escale_faults::{Driven, Fate, Risky, Stage, survives_failure_at_each_step, survives_repeat};
use escale_registry::{Digest, Fake, Registry, RepositorySpec};
use escale_store::{Store, StoreError};
use escale_tables::ecr::{Deletion, Repository, RepositorySeen};
use std::{collections::HashSet, sync::Arc};

const DAY_MS: i64 = 24 * 3_600_000;
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

struct Harness {
    store: Store,
    clock: Clock,
    registry: Arc<Fake>,
    all: (Removals, Unused),
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
        vec![&self.all.0, &self.all.1]
    }
    /// Includes the number of files that should have been freed.
    async fn world(&self) -> String {
        let rows: Vec<_> =
            self.store.read().scan::<Repository>().map(|r| (r.name.to_string(), r.deletion)).collect();
        let seen: Vec<_> = self.store.read().scan::<RepositorySeen>().collect();
        let left = self.registry.collect(HashSet::new(), DAY_MS).await.unwrap().files;
        format!("{rows:?} {seen:?} {:?} {left}", self.registry.repositories().await)
    }
}

async fn blob(registry: &Fake, repository: &str, bytes: &str) -> Digest {
    let (bytes, digest) = (bytes.to_owned(), Digest::of(bytes.as_bytes()));
    let id = registry.start_upload(repository).await.unwrap();
    let body = Box::pin(futures_util::stream::iter([Ok(bytes.into())]));
    registry.append(repository, &id, None, body).await.unwrap();
    registry.finish_upload(repository, &id, &digest).await.unwrap();
    digest
}

/// Three repositories with one image each: one stays, one is deleted with its image, one only if it is empty.
async fn three_repositories(fate: Arc<dyn Fate>) -> Harness {
    let dir = tempfile::tempdir().unwrap();
    let tables = [escale_tables::ecr::TABLES, escale_tables::ecs::TABLES].concat();
    let store = Store::open(&dir.path().join("state.db"), &tables).unwrap();
    let clock = Clock::by_hand(Timestamp(100 * DAY_MS));
    let registry = Arc::new(Fake::new(clock.clone()));
    let wishes = [("a", Deletion::No), ("b", Deletion::WithImages), ("c", Deletion::IfEmpty)];
    for (name, deletion) in wishes {
        registry.create_repository(name, RepositorySpec { immutable_tags: false }).await.unwrap();
        let config = blob(&registry, name, &format!("{{\"of\":\"{name}\"}}")).await;
        let config = serde_json::json!({"mediaType": "x", "digest": config.to_string(), "size": 10});
        let manifest =
            serde_json::json!({"schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": []});
        let bytes = manifest.to_string();
        let tag = escale_registry::Reference::Tag("1".into());
        registry.put_image(name, &tag, IMAGE, bytes.as_bytes()).await.unwrap();
        let row = Repository {
            name: name.into(),
            created: clock.now(),
            immutable_tags: false,
            scan_on_push: false,
            policy: None,
            tags: Vec::new(),
            empty_on_delete: false,
            deletion,
        };
        let put = store.write(|tx| {
            tx.put(row);
            Ok::<_, StoreError>(())
        });
        put.unwrap();
    }
    clock.advance_ms(DAY_MS + 1);
    let risky: Arc<dyn Registry> = Risky::new(&registry, &fate);
    let repositories = Arc::new(Repositories::new(Arc::clone(&risky)));
    let unused = Unused::new(store.clone(), risky);
    let (account, removals_clock) = ("000000000000".into(), clock.clone());
    let removals = Removals { store: store.clone(), clock: removals_clock, account, repositories };
    Harness { store, clock, registry, all: (removals, unused), _dir: dir }
}

#[tokio::test]
async fn reconcilers_survive_repetition_and_failure_at_each_step() {
    let harness = three_repositories(Arc::new(escale_faults::FaultAt::never())).await;
    let before = harness.world().await;
    assert!(before.ends_with(r#"Ok(["a", "b", "c"]) 0"#), "{before}");
    survives_repeat(three_repositories).await;
    survives_failure_at_each_step(three_repositories).await;
}

//! Tests of the reconcilers with repetitions and faults.

use super::{lifecycle::Lifecycle, removals::Removals, unused::Unused};
use crate::Repositories;
use async_trait::async_trait;
use escale_base::{Clock, Timestamp};
use escale_engine::{Plan, Reconciler};
use escale_faults::{Driven, Fate, Risky, Stage, survives_failure_at_each_step, survives_repeat};
use escale_registry::{Digest, Fake, Registry, RepositorySpec};
use escale_store::{Store, StoreError};
use escale_tables::ecr::{Deletion, LifecyclePolicy, LifecycleSeen, Repository, RepositorySeen};
use std::{collections::HashSet, sync::Arc};

const DAY_MS: i64 = 24 * 3_600_000;
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

type Reconcilers = Vec<Box<dyn Driven>>;

struct Harness {
    store: Store,
    clock: Clock,
    registry: Arc<Fake>,
    reconcilers: Reconcilers,
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
        self.reconcilers.iter().map(|reconciler| &**reconciler).collect()
    }
    /// Includes the number of files that should have been freed.
    async fn world(&self) -> String {
        let rows: Vec<_> =
            self.store.read().scan::<Repository>().map(|r| (r.name.to_string(), r.deletion)).collect();
        let seen: Vec<_> = self.store.read().scan::<RepositorySeen>().collect();
        let evaluated = self.store.read().scan::<LifecycleSeen>().count();
        let images = self.registry.images("a").await.map(|images| images.len());
        let left = self.registry.collect(HashSet::new(), DAY_MS).await.unwrap().files;
        let repositories = self.registry.repositories().await;
        format!("{rows:?} {seen:?} {evaluated} {images:?} {repositories:?} {left}")
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

/// Expires every image of more than a day.
const POLICY: &str = r#"{"rules": [{"rulePriority": 1, "action": {"type": "expire"}, "selection":
    {"tagStatus": "any", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 1}}]}"#;

/// Repositories with one image each that was pushed more than a day ago. `true`: the repository has [`POLICY`].
async fn harness(
    fate: Arc<dyn Fate>,
    wishes: &[(&str, Deletion, bool)],
    reconcilers: fn(&Store, &Clock, Arc<dyn Registry>) -> Reconcilers,
) -> Harness {
    let dir = tempfile::tempdir().unwrap();
    let tables = [escale_tables::ecr::TABLES, escale_tables::ecs::TABLES].concat();
    let store = Store::open(&dir.path().join("state.db"), &tables).unwrap();
    let clock = Clock::by_hand(Timestamp(100 * DAY_MS));
    let registry = Arc::new(Fake::new(clock.clone()));
    for (name, deletion, expires) in wishes.iter().copied() {
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
            lifecycle: expires.then(|| LifecyclePolicy { text: POLICY.into(), put: clock.now() }),
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
    let reconcilers = reconcilers(&store, &clock, Risky::new(&registry, &fate));
    Harness { store, clock, registry, reconcilers, _dir: dir }
}

/// One repository stays, one is deleted with its image, one only if it is empty.
async fn three_repositories(fate: Arc<dyn Fate>) -> Harness {
    let wishes =
        [("a", Deletion::No, false), ("b", Deletion::WithImages, false), ("c", Deletion::IfEmpty, false)];
    harness(fate, &wishes, |store, clock, registry| {
        let repositories = Arc::new(Repositories::new(Arc::clone(&registry)));
        let account = "000000000000".into();
        let removals = Removals { store: store.clone(), clock: clock.clone(), account, repositories };
        vec![Box::new(removals), Box::new(Unused::new(store.clone(), registry))]
    })
    .await
}

/// The image of one repository expires.
async fn expiring(fate: Arc<dyn Fate>) -> Harness {
    harness(fate, &[("a", Deletion::No, true), ("b", Deletion::No, false)], |store, _, registry| {
        vec![Box::new(Lifecycle { store: store.clone(), registry })]
    })
    .await
}

#[tokio::test]
async fn reconcilers_survive_repetition_and_failure_at_each_step() {
    let harness = three_repositories(Arc::new(escale_faults::FaultAt::never())).await;
    let before = harness.world().await;
    assert!(before.ends_with(r#"Ok(["a", "b", "c"]) 0"#), "{before}");
    survives_repeat(three_repositories).await;
    survives_failure_at_each_step(three_repositories).await;
}

#[tokio::test]
async fn expiration_survives_repetition_and_failure_at_each_step() {
    survives_repeat(expiring).await;
    survives_failure_at_each_step(expiring).await;
}

#[tokio::test]
async fn images_expire_when_the_policy_is_put_and_a_day_later() {
    let harness = expiring(Arc::new(escale_faults::FaultAt::never())).await;
    let lifecycle = Lifecycle { store: harness.store.clone(), registry: harness.registry.clone() };
    let plan = |now| lifecycle.plan(&harness.store.read(), "a", now);
    let images = async |repository| harness.registry.images(repository).await.unwrap().len();
    let Plan::Step(step) = plan(harness.clock.now()) else { panic!("the new policy is not evaluated") };
    lifecycle.act("a", step).await.unwrap();
    assert_eq!((images("a").await, images("b").await), (0, 1));
    assert!(matches!(plan(harness.clock.now()), Plan::Wait { .. }));
    harness.clock.advance_ms(DAY_MS);
    assert!(matches!(plan(harness.clock.now()), Plan::Step(_)));
    let put = harness.clock.now();
    let policy = LifecyclePolicy { text: POLICY.into(), put };
    let changed = harness.store.write(|tx| {
        tx.put(LifecycleSeen { name: "a".into(), put, at: put });
        tx.update::<Repository, ()>("a", |r| r.lifecycle = Some(policy));
        Ok::<_, StoreError>(())
    });
    changed.unwrap();
    assert!(matches!(plan(put), Plan::Wait { .. }));
}

//! The cache of other registries' images.

use crate::{CACHED, IMAGE, on_both};
use bytes::Bytes;
use escale_registry::*;
use futures_util::{FutureExt, StreamExt, stream};
use serde_json::json;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

const DAY_MS: i64 = 24 * 3_600_000;

/// Serves `bytes` in bodies that break after each `cut` bytes, and records the offsets that were fetched.
struct Source {
    bytes: Bytes,
    cut: usize,
    offsets: Arc<Mutex<Vec<u64>>>,
}

impl Source {
    fn of(bytes: &[u8]) -> Source {
        Source { bytes: Bytes::copy_from_slice(bytes), cut: usize::MAX, offsets: Arc::default() }
    }

    async fn cache(&self, registry: &dyn Registry, digest: &Digest, size_bytes: u64) -> Result<()> {
        let fetch = |from: u64| {
            self.offsets.lock().unwrap().push(from);
            let rest = self.bytes.slice(from as usize..);
            let is_cut = rest.len() > self.cut;
            let part = rest.slice(..rest.len().min(self.cut));
            let end = is_cut.then(|| Err("the cable was cut".into()));
            let body: Body = stream::iter([Ok(part)].into_iter().chain(end)).boxed();
            async move { Ok(body) }.boxed()
        };
        registry.cache(digest, size_bytes, &fetch).await
    }

    async fn cache_all(&self, registry: &dyn Registry) -> Result<Digest> {
        let digest = Digest::of(&self.bytes);
        self.cache(registry, &digest, self.bytes.len() as u64).await.map(|()| digest)
    }

    fn offsets(&self) -> Vec<u64> {
        self.offsets.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn caches_a_blob_once_and_continues_interrupted_bodies() {
    on_both(|c| async move {
        let source = Source { cut: 400, ..Source::of(&[7; 1000]) };
        source.cache_all(&*c.registry).await.unwrap();
        assert_eq!(source.offsets(), [0, 400, 800]);
        source.cache_all(&*c.registry).await.unwrap();
        assert_eq!(source.offsets().len(), 3, "it is cached");
        // It is in no repository.
        let digest = Digest::of(&[7; 1000]);
        assert!(c.registry.blob_size("shop/web", &digest).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn concurrent_callers_fetch_a_blob_once() {
    on_both(|c| async move {
        let source = Source::of(&[1; 500]);
        let all = (0..20).map(|_| source.cache_all(&*c.registry));
        for done in futures_util::future::join_all(all).await {
            done.unwrap();
        }
        assert_eq!(source.offsets(), [0]);
    })
    .await;
}

#[tokio::test]
async fn refuses_bytes_of_another_digest_or_size() {
    on_both(|c| async move {
        let (registry, expected) = (&*c.registry, Digest::of(b"expected"));
        let wrong = Source::of(b"attacker").cache(registry, &expected, 8).await;
        assert!(matches!(wrong, Err(Error::DigestMismatch { .. })), "{wrong:?}");
        for (bytes, announced) in [(&b"expected, and more"[..], 8), (b"expect", 8), (b"", 8)] {
            let wrong = Source::of(bytes).cache(registry, &expected, announced).await;
            assert!(matches!(wrong, Err(Error::OtherSize { .. })), "{bytes:?}: {wrong:?}");
        }
        // Nothing of these attempts is left.
        Source::of(b"expected").cache_all(registry).await.unwrap();
        let wrong = Source::of(b"expected").cache(registry, &expected, 9).await;
        assert!(matches!(wrong, Err(Error::OtherSize { .. })), "{wrong:?}");
        let huge = Source::of(b"x").cache(registry, &Digest::of(b"x"), u64::MAX).await;
        assert!(matches!(huge, Err(Error::BlobTooLarge { .. })), "{huge:?}");
    })
    .await;
}

#[tokio::test]
async fn manifests_are_for_sources_that_were_admitted() {
    on_both(|c| async move {
        let digest = Source::of(b"{}").cache_all(&*c.registry).await.unwrap();
        c.registry.admit("docker.io/private alice", &digest).await.unwrap();
        let admitted = async |source: &str| c.registry.admitted(source, &digest).await.unwrap();
        assert_eq!(admitted("docker.io/private alice").await.as_deref(), Some(&b"{}"[..]));
        assert_eq!(admitted("docker.io/private").await, None);
        let other = Digest::of(b"other");
        assert_eq!(c.registry.admitted("docker.io/private alice", &other).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn least_recently_used_blobs_above_the_bound_go() {
    on_both(|c| async move {
        let mut digests = Vec::new();
        for seed in 0..4u8 {
            digests.push(Source::of(&[seed; 400]).cache_all(&*c.registry).await.unwrap());
            c.clock.advance_ms(1000);
        }
        c.registry.admit("a", &digests[1]).await.unwrap();
        // Used lately: even more than the bound stays, since an image may still be incomplete.
        assert_eq!(c.registry.collect(HashSet::new(), DAY_MS).await.unwrap().files, 0);
        Source::of(&[0; 400]).cache_all(&*c.registry).await.unwrap();
        c.clock.advance_ms(CACHE_GRACE_MS + 1);
        let freed = c.registry.collect(HashSet::from([digests[1].clone()]), DAY_MS).await.unwrap();
        // The bound has room for two: the first, which was used again, and the last. The second is in use by a container.
        assert_eq!((freed.files, freed.size_bytes), (1, 400));
        let freed = c.registry.collect(HashSet::new(), DAY_MS).await.unwrap();
        assert_eq!((freed.files, freed.size_bytes), (1, 400));
        assert_eq!(c.registry.admitted("a", &digests[1]).await.unwrap(), None);
        for (seed, fetched) in [(0u8, 0), (3, 0), (2, 1)] {
            let source = Source::of(&[seed; 400]);
            source.cache_all(&*c.registry).await.unwrap();
            assert_eq!(source.offsets().len(), fetched, "{seed}");
        }
    })
    .await;
}

#[tokio::test]
async fn cached_images_of_containers_stay_with_their_layers() {
    on_both(|c| async move {
        let layer = Source::of(&[9; 600]).cache_all(&*c.registry).await.unwrap();
        let config = Source::of(b"{}").cache_all(&*c.registry).await.unwrap();
        let named = |digest: &Digest, size| json!({"mediaType": "x", "digest": digest.as_str(), "size": size});
        let manifest = json!({"schemaVersion": 2, "mediaType": IMAGE, "config": named(&config, 2), "layers": [named(&layer, 600)]});
        let image = Source::of(manifest.to_string().as_bytes()).cache_all(&*c.registry).await.unwrap();
        c.clock.advance_ms(CACHE_GRACE_MS + 1);
        Source::of(&[1; 1000]).cache_all(&*c.registry).await.unwrap();
        assert_eq!(c.registry.collect(HashSet::from([image]), DAY_MS).await.unwrap().files, 0);
        assert_eq!(c.registry.collect(HashSet::new(), DAY_MS).await.unwrap().files, 3);
    })
    .await;
}

#[tokio::test]
async fn partial_blob_is_continued_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let clock = escale_base::Clock::by_hand(escale_base::Timestamp(1000));
    let open = || {
        Store::open(Settings { root: dir.path().into(), clock: clock.clone(), cache_bytes: CACHED }).unwrap()
    };
    let bytes = [5; 1000];
    let digest = Digest::of(&bytes);
    let begun = |from: u64| {
        let part = Ok(Bytes::copy_from_slice(&bytes[..300]));
        let body: Body = stream::iter([part, Err("the cable was cut".into())]).boxed();
        let body: std::result::Result<Body, BodyError> =
            if from == 0 { Ok(body) } else { Err("no network".into()) };
        async move { body }.boxed()
    };
    let broken = open().cache(&digest, 1000, &begun).await;
    assert!(matches!(broken, Err(Error::Body { received: 300, .. })), "{broken:?}");
    let source = Source::of(&bytes);
    source.cache(&open(), &digest, 1000).await.unwrap();
    assert_eq!(source.offsets(), [300]);
}

#[tokio::test]
async fn wrong_partial_blob_of_another_source_is_fetched_again() {
    let dir = tempfile::tempdir().unwrap();
    let clock = escale_base::Clock::by_hand(escale_base::Timestamp(1000));
    let store = Store::open(Settings { root: dir.path().into(), clock, cache_bytes: CACHED }).unwrap();
    for (size, offsets) in [(300, &[300, 0][..]), (1000, &[0]), (1500, &[0])] {
        let source = Source::of(&[size as u8; 1000]);
        let digest = Digest::of(&source.bytes);
        std::fs::write(dir.path().join("registry/partial").join(digest.hex()), vec![9; size]).unwrap();
        source.cache(&store, &digest, 1000).await.unwrap();
        assert_eq!(source.offsets(), offsets, "{size}");
    }
}

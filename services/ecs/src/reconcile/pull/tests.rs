//! Pulls on the fakes of both planes.

use super::*;
use escale_base::{Clock, Secret, Timestamp};
use escale_upstream as upstream;
use serde_json::{Value, json};
use std::collections::HashSet;

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

struct Harness {
    upstream: Arc<upstream::Fake>,
    registry: Arc<registry::Fake>,
    repository: Repository,
    puller: Puller,
}

impl Harness {
    fn new() -> Harness {
        let upstream = Arc::new(upstream::Fake::default());
        let registry = Arc::new(registry::Fake::new(Clock::by_hand(Timestamp(0))));
        let repository = Repository::new("docker.io", "nginx").unwrap();
        let puller = Puller::new(Arc::clone(&registry) as _, Arc::clone(&upstream) as _);
        Harness { upstream, registry, repository, puller }
    }

    fn blob(&self, bytes: &str) -> Value {
        let digest = self.upstream.push_blob(&self.repository, bytes.as_bytes());
        json!({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest, "size": bytes.len()})
    }

    fn image(&self, tag: &str, layers: &[&str]) -> String {
        let layers: Vec<Value> = layers.iter().map(|layer| self.blob(layer)).collect();
        let manifest =
            json!({"schemaVersion": 2, "mediaType": IMAGE, "config": self.blob("{}"), "layers": layers});
        self.upstream.push(&self.repository, tag, IMAGE, manifest.to_string().as_bytes())
    }

    async fn pull(&self, reference: &str) -> Result<String, String> {
        self.pull_as(reference, None).await
    }

    async fn pull_as(&self, reference: &str, credentials: Option<&Credentials>) -> Result<String, String> {
        let pulled = self.puller.pull(&self.repository, &reference.parse().unwrap(), credentials).await;
        pulled.map_err(|e| match e {
            PullError::Failed(why) => why,
            PullError::Plane(e) => panic!("{e}"),
        })
    }

    async fn is_cached(&self, digest: &str) -> bool {
        let source = source(&self.repository, None);
        self.registry.admitted(&source, &digest.parse().unwrap()).await.unwrap().is_some()
    }
}

#[tokio::test]
async fn pulls_every_part_once_and_a_known_digest_without_network() {
    let h = Harness::new();
    let digest = h.image("1", &["a", "b", "a"]);
    assert_eq!(h.pull("1").await, Ok(digest.clone()));
    assert_eq!(h.upstream.requests().len(), 4, "a manifest, a configuration and two layers");
    assert!(h.is_cached(&digest).await);
    assert_eq!(h.pull(&digest).await, Ok(digest.clone()));
    assert_eq!(h.upstream.requests().len(), 4);
    // A tag may have been moved.
    assert_eq!(h.pull("1").await, Ok(digest.clone()));
    assert_eq!(h.upstream.requests().len(), 5);
    // Everything of the image stays while a container uses it.
    let keep = HashSet::from([digest.parse().unwrap()]);
    assert_eq!(h.registry.collect(keep, 0).await.unwrap().files, 0);
}

#[tokio::test]
async fn index_leads_to_this_machines_image() {
    let h = Harness::new();
    let own = h.image("own", &["own"]);
    let entry = |digest: &str, arch: &str, os: &str| json!({"mediaType": IMAGE, "digest": digest, "size": 1, "platform": {"os": os, "architecture": arch}});
    let none = format!("sha256:{}", "0".repeat(64));
    let index =
        |entries: &[Value]| json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).to_string();
    let all = [
        entry(&none, "s390x", "linux"),
        entry(&none, architecture(), "windows"),
        entry(&own, architecture(), "linux"),
    ];
    let digest = h.upstream.push(&h.repository, "all", INDEX, index(&all).as_bytes());
    // The digest of the index, as on AWS.
    assert_eq!(h.pull("all").await, Ok(digest));
    let others = [entry(&none, "s390x", "linux"), entry(&none, "unknown", "unknown")];
    h.upstream.push(&h.repository, "other", INDEX, index(&others).as_bytes());
    let error = h.pull("other").await.unwrap_err();
    assert!(
        error.contains(&format!("does not contain descriptor matching platform 'linux/{}'", architecture())),
        "{error}"
    );
    assert!(error.ends_with("is for linux/s390x"), "{error}");
}

#[tokio::test]
async fn cached_image_of_a_private_repository_is_only_for_its_login() {
    let h = Harness::new();
    let digest = h.image("1", &["secret"]);
    let login = |password: &str| Credentials { user: "alice".into(), password: Secret::new(password.into()) };
    h.upstream.protect(&h.repository, login("right"));
    assert_eq!(h.pull_as("1", Some(&login("right"))).await, Ok(digest.clone()));
    for (reference, login) in [("1", None), (&digest, None), (&digest, Some(login("wrong")))] {
        let error = h.pull_as(reference, login.as_ref()).await.unwrap_err();
        assert!(error.contains("pull access denied"), "{reference}: {error}");
    }
    assert_eq!(h.pull_as(&digest, Some(&login("right"))).await, Ok(digest));
}

#[tokio::test]
async fn refuses_images_that_cannot_be_complete() {
    let h = Harness::new();
    let part = h.blob("x");
    let none = format!("sha256:{}", "0".repeat(64));
    let missing = json!({"mediaType": "x", "digest": none, "size": 1});
    let lie = json!({"mediaType": "x", "digest": part["digest"], "size": 7});
    let foreign = json!({"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "digest": none, "size": 1});
    let path = json!({"mediaType": "x", "digest": "sha256:../../etc/passwd", "size": 1});
    let huge = json!({"mediaType": "x", "digest": none, "size": 5_000_000});
    for (config, layers, why) in [
        (&part, vec![&missing], "not found"),
        (&part, vec![&lie], "has 1 bytes, not 7 as its manifest says"),
        (&part, vec![&foreign], "is not in the registry"),
        (&part, vec![&path], "a digest is not valid"),
        (&huge, vec![&part], "its configuration is larger"),
        (&part, vec![&part; 128], "it has 128 layers"),
    ] {
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": layers});
        let digest = h.upstream.push(&h.repository, "1", IMAGE, manifest.to_string().as_bytes());
        let error = h.pull("1").await.unwrap_err();
        assert!(error.starts_with("CannotPullContainerError: ") && error.contains(why), "{error}");
        assert!(!h.is_cached(&digest).await);
    }
    for (manifest, why) in [
        ("[", "is not valid"),
        ("{}", "is not that of an image"),
        (r#"{"manifests": [], "layers": [], "config": null}"#, "matching platform"),
        (r#"{"schemaVersion": 1, "fsLayers": []}"#, "is not that of an image"),
    ] {
        h.upstream.push(&h.repository, "1", IMAGE, manifest.as_bytes());
        let error = h.pull("1").await.unwrap_err();
        assert!(error.contains(why), "{manifest}: {error}");
    }
    let error = h.pull("no-such-tag").await.unwrap_err();
    let expected = "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref \
        docker.io/library/nginx:no-such-tag: docker.io/library/nginx:no-such-tag: not found";
    assert_eq!(error, expected);
}

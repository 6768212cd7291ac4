use super::{
    base::{Base, digest},
    serving::serve,
};
use escale_base::Secret;
use escale_imagebuild::{Cache, Credentials, Target, pull};
use expect_test::expect;
use http_body_util::Full;
use hyper::{Request, Response, StatusCode, body::Bytes, body::Incoming};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tempfile::TempDir;

/// A registry with one repository. It checks credentials and records its requests.
#[derive(Default)]
struct Registry {
    /// By the last part of the path: media type and bytes.
    has: Mutex<BTreeMap<String, (String, Vec<u8>)>>,
    asked: Mutex<Vec<String>>,
}

impl Registry {
    fn put(&self, name: &str, kind: &str, bytes: &[u8]) {
        self.has.lock().unwrap().insert(name.to_owned(), (kind.to_owned(), bytes.to_vec()));
    }

    /// Adds an image; returns the manifest's digest.
    fn push(&self, tag: &str, image: &Base) -> String {
        let (blobs, manifest, kind) = image.parts();
        blobs.iter().for_each(|bytes| self.put(&digest(bytes), "application/octet-stream", bytes));
        self.put(tag, kind, &manifest);
        self.put(&digest(&manifest), kind, &manifest);
        digest(&manifest)
    }

    async fn answer(self: Arc<Registry>, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let header = |name: &str| request.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
        let status = |status: StatusCode| Response::builder().status(status);
        if header("authorization").as_deref() != Some("Basic QVdTOnRva2Vu") {
            return status(StatusCode::UNAUTHORIZED).body(Full::default()).unwrap(); // AWS:token
        }
        let path = request.uri().path().to_owned();
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        self.asked.lock().unwrap().push(name.chars().take(12).collect());
        let missing = |code: &str| {
            let errors = json!({"errors": [{"code": code}]}).to_string();
            status(StatusCode::NOT_FOUND).body(Full::from(errors)).unwrap()
        };
        match self.has.lock().unwrap().get(&name) {
            _ if !path.starts_with("/v2/team/base/") => missing("NAME_UNKNOWN"),
            None => missing("MANIFEST_UNKNOWN"),
            // a registry may convert an image for a client that does not accept its format
            Some((kind, _))
                if kind.contains("manifest") && !header("accept").unwrap_or_default().contains(kind) =>
            {
                missing("MANIFEST_UNKNOWN")
            }
            Some((kind, bytes)) => {
                status(StatusCode::OK).header("content-type", kind).body(Full::from(bytes.clone())).unwrap()
            }
        }
    }
}

struct Fixture {
    registry: Arc<Registry>,
    address: String,
    folder: TempDir,
}

impl Fixture {
    async fn new() -> Fixture {
        let registry = Arc::new(Registry::default());
        let address = serve(&registry, Registry::answer).await;
        Fixture { registry, address, folder: tempfile::tempdir().unwrap() }
    }

    fn cache(&self) -> Cache {
        Cache::open(self.folder.path()).unwrap()
    }

    async fn pull(&self, repository: &str, reference: &str) -> Result<escale_imagebuild::Layout, String> {
        let credentials = Credentials { user: "AWS".into(), password: Secret::new("token".into()) };
        let source = Target {
            address: self.address.clone(),
            host: None,
            repository: repository.into(),
            reference: reference.into(),
            credentials: Some(credentials),
            tls: None,
        };
        pull(&source, "amd64", &self.cache()).await.map_err(|e| e.to_string().replace(&self.address, "HERE"))
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.registry.asked.lock().unwrap())
    }
}

fn image(text: &'static str) -> Base {
    Base::new(json!({"Cmd": [text]}), &[&[("file", 0o644, text)]])
}

#[tokio::test]
async fn cached_blobs_are_not_pulled_again() {
    let fixture = Fixture::new().await;
    for docker in [false, true] {
        let mut image = image("one");
        image.docker = docker;
        fixture.registry.push("1", &image);
        let pulled = fixture.pull("team/base", "1").await.unwrap();
        assert_eq!(pulled.config().unwrap(), image.config);
        let layer = pulled.manifest["layers"][0]["digest"].as_str().unwrap();
        assert_eq!(std::fs::read(pulled.blob(layer).unwrap()).unwrap(), image.layers[0].0);
    }
    assert_eq!(fixture.asked().len(), 4, "two manifests, one layer, one configuration");
    fixture.pull("team/base", "1").await.unwrap();
    assert_eq!(fixture.asked(), ["1"], "a tag may have moved");
}

#[tokio::test]
async fn pulls_the_requested_architecture() {
    let fixture = Fixture::new().await;
    let (mut other, own) = (image("other"), image("own"));
    other.config["architecture"] = json!("arm64");
    let (other, own) = (fixture.registry.push("other", &other), fixture.registry.push("own", &own));
    let entry = |digest: &str, os: &str, architecture: &str| json!({"digest": digest, "platform": {"os": os, "architecture": architecture}});
    let mut list = json!({"manifests": [entry(&other, "linux", "arm64"), entry(&other, "windows", "amd64"), entry(&own, "linux", "amd64")]});
    for kind in [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ] {
        fixture.registry.put("several", kind, list.to_string().as_bytes());
        assert_eq!(fixture.pull("team/base", "several").await.unwrap().digest, own);
    }
    list["manifests"] = json!([entry(&other, "linux", "arm64")]);
    fixture.registry.put("several", "application/vnd.oci.image.index.v1+json", list.to_string().as_bytes());
    expect!["HERE/team/base:several has no image for amd64. It has images for arm64"]
        .assert_eq(&fixture.pull("team/base", "several").await.unwrap_err());
}

#[tokio::test]
async fn refuses_content_that_differs_from_its_description() {
    let fixture = Fixture::new().await;
    let good = image("one");
    let pinned = fixture.registry.push("1", &good);
    assert_eq!(fixture.pull("team/base", &pinned).await.unwrap().digest, pinned);
    let mut lines = vec![
        fixture.pull("team/other", "1").await.unwrap_err(),
        fixture.pull("team/base", "2").await.unwrap_err(),
        fixture.pull("team/base", "file name").await.unwrap_err(),
    ];
    // wrong bytes of equal and of greater length, under a tag that was not pulled before
    for (n, (text, longer)) in [("two", false), ("three", true)].into_iter().enumerate() {
        let image = image(text);
        fixture.registry.push(&format!("bad{n}"), &image);
        let mut bytes = image.layers[0].0.clone();
        if longer {
            bytes.push(0)
        } else {
            bytes[20] ^= 1
        }
        let layer = digest(&image.layers[0].0);
        fixture.registry.put(&layer, "application/octet-stream", &bytes);
        let error = fixture.pull("team/base", &format!("bad{n}")).await.unwrap_err();
        lines.push(error.replace(&layer, "LAYER"));
        let kept = walk(fixture.folder.path());
        assert!(!kept.contains(&layer.trim_start_matches("sha256:").to_owned()), "it was kept");
        assert!(kept.iter().all(|name| name.len() == 64), "half a blob is left: {kept:?}");
    }
    // a manifest with another digest than the requested one
    let (_, manifest, kind) = image("four").parts();
    let other = digest(b"other");
    fixture.registry.put(&other, kind, &manifest);
    lines.push(fixture.pull("team/base", &other).await.unwrap_err().replace(&other, "MANIFEST"));
    // layers that are not in the registry, and documents that are not images
    let (_, manifest, kind) = good.parts();
    let mut foreign: Value = serde_json::from_slice(&manifest).unwrap();
    foreign["layers"][0]["mediaType"] = json!("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
    fixture.registry.put("foreign", kind, foreign.to_string().as_bytes());
    lines.push(
        fixture.pull("team/base", "foreign").await.unwrap_err().replace(&digest(&good.layers[0].0), "LAYER"),
    );
    fixture.registry.put("page", "text/html", b"{}");
    lines.push(fixture.pull("team/base", "page").await.unwrap_err());
    expect![[r#"
        the registry HERE has no repository team/other
        the repository team/base has no image 2
        `/v2/team/base/manifests/file name` cannot be part of a registry's URL
        the registry HERE sent content that does not match the digest LAYER
        the registry HERE sent content that does not match the digest LAYER
        the registry HERE sent content that does not match the digest MANIFEST
        HERE/team/base:foreign cannot be used as a base image: its layer LAYER is not in the registry, because its type is application/vnd.docker.image.rootfs.foreign.diff.tar.gzip
        HERE/team/base:page cannot be used as a base image: its manifest is of the type text/html"#]].assert_eq(&lines.join("\n"));
}

fn walk(folder: &std::path::Path) -> Vec<String> {
    let blobs = std::fs::read_dir(folder.join("blobs/sha256")).unwrap();
    blobs.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

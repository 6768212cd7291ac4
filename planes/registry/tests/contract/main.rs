//! The contract of every implementation of [`Registry`], mostly through HTTP, on the real one and the fake.
#![allow(clippy::unwrap_used)] // a test's own helpers, outside of #[test]

mod cache;
mod crash;
mod skopeo;

use bytes::Bytes;
use escale_base::{Clock, Timestamp};
use escale_registry::*;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use std::{collections::HashSet, future::Future, sync::Arc};

pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The bound of the cache in these tests.
pub(crate) const CACHED: u64 = 1000;
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// Admits callers with the password. Deleting in `shop/locked` and reading blobs of `shop/sealed` is always denied.
pub(crate) struct Guard;

#[async_trait::async_trait]
impl Access for Guard {
    async fn check(
        &self,
        headers: &HeaderMap,
        repository: Option<&str>,
        action: Action,
    ) -> std::result::Result<(), Denied> {
        // "user:pw"
        let known = headers.get(header::AUTHORIZATION).is_some_and(|v| v == "Basic dXNlcjpwdw==");
        let deny = |status, challenge: Option<&str>, code: &str| {
            let (challenge, code) = (challenge.map(str::to_owned), code.to_owned());
            Err(Denied { status, challenge, code, message: "no".into() })
        };
        match (known, action, repository) {
            (false, ..) => deny(StatusCode::UNAUTHORIZED, Some("Basic realm=\"x\""), "UNAUTHORIZED"),
            (true, Action::PullBlob, Some("shop/sealed")) => deny(StatusCode::FORBIDDEN, None, "DENIED"),
            (true, Action::Delete, Some("shop/locked")) => deny(StatusCode::FORBIDDEN, None, "DENIED"),
            _ => Ok(()),
        }
    }
}

pub(crate) struct Client {
    pub(crate) http: Http,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) clock: Clock,
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
    /// Status and error code.
    fn error(&self) -> (u16, String) {
        (self.status, self.json()["errors"][0]["code"].as_str().unwrap().to_owned())
    }
}

impl Client {
    pub(crate) fn of(registry: Arc<dyn Registry>, clock: Clock) -> Client {
        Client { http: Http::new(registry.clone(), Arc::new(Guard)), registry, clock }
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request =
            Request::builder().method(method).uri(path).header("authorization", "Basic dXNlcjpwdw==");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.http.handle(request.body(Full::new(body.into())).unwrap()).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn push_blob(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        let answer = self.call("POST", &path, &[], bytes.to_vec()).await;
        assert_eq!((answer.status, answer.header("docker-content-digest")), (201, digest.as_str()));
        digest
    }

    /// Pushes the blobs of a config and one layer, and returns their manifest.
    async fn image(&self, repository: &str, seed: &str) -> Vec<u8> {
        let (config, layer) = (format!("{{\"seed\":\"{seed}\"}}"), format!("layer {seed}"));
        let named = |media_type: &str, bytes: &str, digest: Digest| json!({"mediaType": media_type, "size": bytes.len(), "digest": digest});
        let c = named(CONFIG, &config, self.push_blob(repository, config.as_bytes()).await);
        let l = self.push_blob(repository, layer.as_bytes()).await;
        let l = named("application/vnd.oci.image.layer.v1.tar", &layer, l);
        json!({"schemaVersion": 2, "mediaType": IMAGE, "config": c, "layers": [l]}).to_string().into_bytes()
    }

    async fn put(&self, repository: &str, reference: &str, media_type: &str, bytes: &[u8]) -> Answer {
        let path = format!("/v2/{repository}/manifests/{reference}");
        self.call("PUT", &path, &[("content-type", media_type)], bytes.to_vec()).await
    }
}

pub(crate) async fn on_both<F: Future<Output = ()>>(contract: impl Fn(Arc<Client>) -> F) {
    let dir = tempfile::tempdir().unwrap();
    for real in [false, true] {
        let clock = Clock::by_hand(Timestamp(1_000));
        let registry: Arc<dyn Registry> = if real {
            let (root, cache_bytes) = (dir.path().into(), CACHED);
            Arc::new(Store::open(Settings { root, clock: clock.clone(), cache_bytes }).unwrap())
        } else {
            Arc::new(Fake::caching(clock.clone(), CACHED))
        };
        registry.create_repository("shop/web", RepositorySpec::default()).await.unwrap();
        contract(Arc::new(Client::of(registry, clock))).await;
    }
}

#[tokio::test]
async fn answers_depend_on_access_and_existence() {
    on_both(|c| async move {
        let request = Request::get("/v2/").body(Full::new(Bytes::new())).unwrap();
        let response = c.http.handle(request).await;
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()["www-authenticate"], "Basic realm=\"x\"");
        assert_eq!(c.call("GET", "/v2/", &[], "").await.status, 200);
        let gone = ("404".parse().unwrap(), "NAME_UNKNOWN".to_owned());
        assert_eq!(c.call("GET", "/v2/no/tags/list", &[], "").await.error(), gone);
        assert_eq!(c.call("POST", "/v2/no/blobs/uploads/", &[], "").await.error(), gone);
        assert_eq!(c.put("no", "x", IMAGE, &c.image("shop/web", "1").await).await.error(), gone);
        assert_eq!(c.call("GET", "/v2/Bad/tags/list", &[], "").await.error(), (400, "NAME_INVALID".into()));
        assert_eq!(c.call("GET", "/v2/a/nothing", &[], "").await.status, 404);
        assert_eq!(
            c.call("POST", "/v2/shop/web/tags/list", &[], "").await.error(),
            (405, "UNSUPPORTED".into())
        );
        c.registry.create_repository("shop/locked", RepositorySpec::default()).await.unwrap();
        let path = format!("/v2/shop/locked/blobs/{}", c.push_blob("shop/locked", b"x").await);
        assert_eq!(c.call("DELETE", &path, &[], "").await.error(), (403, "DENIED".into()));
        assert!(matches!(
            c.registry.create_repository("shop/web", RepositorySpec::default()).await,
            Err(Error::RepositoryExists(_))
        ));
        assert_eq!(c.registry.repositories().await.unwrap(), ["shop/locked", "shop/web"]);
    })
    .await;
}

#[tokio::test]
async fn blobs() {
    on_both(|c| async move {
        let bytes: Vec<u8> = (0..1_500_000u32).map(|i| (i % 251) as u8).collect();
        let digest = c.push_blob("shop/web", &bytes).await;
        let path = format!("/v2/shop/web/blobs/{digest}");
        let head = c.call("HEAD", &path, &[], "").await;
        assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, "1500000", 0));
        assert!(c.call("GET", &path, &[], "").await.body == bytes);
        let part = c.call("GET", &path, &[("range", "bytes=600000-1400000")], "").await;
        assert_eq!((part.status, part.header("content-range")), (206, "bytes 600000-1400000/1500000"));
        assert!(part.body == bytes[600_000..=1_400_000]);
        let outside = c.call("GET", &path, &[("range", "bytes=1500000-")], "").await;
        assert_eq!((outside.status, outside.header("content-range")), (416, "bytes */1500000"));

        c.registry.create_repository("other", RepositorySpec::default()).await.unwrap();
        let other = format!("/v2/other/blobs/{digest}");
        assert_eq!(c.call("GET", &other, &[], "").await.error(), (404, "BLOB_UNKNOWN".into()));
        let mount = |from: &str| format!("/v2/other/blobs/uploads/?mount={digest}&from={from}");
        assert_eq!(c.call("POST", &mount("nowhere"), &[], "").await.status, 202);
        assert_eq!(c.call("POST", &mount("shop%2Fweb"), &[], "").await.status, 201);
        assert_eq!(c.call("HEAD", &other, &[], "").await.status, 200);
        assert_eq!(c.call("DELETE", &path, &[], "").await.status, 202);
        assert_eq!(c.call("HEAD", &path, &[], "").await.status, 404);
        assert!(c.call("GET", &other, &[], "").await.body == bytes);

        let wrong = Digest::of(b"something else");
        let post = format!("/v2/shop/web/blobs/uploads/?digest={wrong}");
        assert_eq!(c.call("POST", &post, &[], "x").await.error(), (400, "DIGEST_INVALID".into()));
        assert_eq!(c.call("HEAD", &format!("/v2/shop/web/blobs/{wrong}"), &[], "").await.status, 404);
        let odd = c.call("GET", "/v2/shop/web/blobs/sha512:00", &[], "").await;
        assert_eq!(odd.error(), (400, "DIGEST_INVALID".into()));
    })
    .await;
}

#[tokio::test]
async fn blobs_are_an_action_of_their_own_in_every_spelling() {
    on_both(async |c| {
        c.registry.create_repository("shop/sealed", RepositorySpec::default()).await.unwrap();
        let digest = c.push_blob("shop/sealed", b"secret").await;
        let at = format!("/v2/shop/sealed/blobs/{digest}");
        for path in [
            at.clone(),
            at.replace("sha256:", "%73ha256:"),
            at.replace("sha256:", "sha256%3A"),
            at.replace("blobs", "%62lobs"),
            at.replace("sealed", "seale%64"),
        ] {
            assert_eq!(c.call("GET", &path, &[], "").await.error(), (403, "DENIED".into()), "{path}");
            assert_eq!(c.call("HEAD", &path, &[], "").await.status, 200, "{path}");
        }
        for path in [at.replace("sealed/blobs", "sealed%2Fblobs"), at.replace("shop/sealed", "shop%2Fsealed")]
        {
            assert_eq!(c.call("GET", &path, &[], "").await.status, 404, "{path}");
        }
        let mount = format!("/v2/shop/web/blobs/uploads/?mount={digest}&from=shop/sealed");
        assert_eq!(c.call("POST", &mount, &[], "").await.status, 202, "not mounted: an upload was started");
    })
    .await;
}

#[tokio::test]
async fn uploads_in_chunks() {
    on_both(|c| async move {
        let start = async || {
            let started = c.call("POST", "/v2/shop/web/blobs/uploads/", &[], "").await;
            assert_eq!(started.status, 202);
            started.header("location").to_owned()
        };
        let at = start().await;
        let patch = async |range: &str, body: &'static str| {
            c.call("PATCH", &at, &[("content-range", range)], body).await
        };
        let first = patch("0-4", "first").await;
        assert_eq!((first.status, first.header("range")), (202, "0-4"));
        let jumped = patch("9-12", "jump").await;
        assert_eq!((jumped.error(), jumped.header("range")), ((416, "BLOB_UPLOAD_INVALID".into()), "0-4"));
        assert_eq!(patch("nonsense", "x").await.error(), (400, "BLOB_UPLOAD_INVALID".into()));
        assert_eq!(patch("5-11", " second").await.header("range"), "0-11");
        let status = c.call("GET", &at, &[], "").await;
        assert_eq!((status.status, status.header("range")), (204, "0-11"));
        let digest = Digest::of(b"first second third");
        let last =
            c.call("PUT", &format!("{at}?digest={digest}"), &[("content-range", "12-17")], " third").await;
        assert_eq!(last.status, 201);
        let blob = c.call("GET", last.header("location"), &[], "").await;
        assert_eq!(blob.body, "first second third");
        assert_eq!(c.call("GET", &at, &[], "").await.error(), (404, "BLOB_UPLOAD_UNKNOWN".into()));

        let at = start().await;
        c.call("PATCH", &at, &[], "streamed without a range").await;
        let wrong = c.call("PUT", &format!("{at}?digest={}", Digest::of(b"")), &[], "").await;
        assert_eq!(wrong.error(), (400, "DIGEST_INVALID".into()));
        let at = start().await;
        assert_eq!(c.call("PUT", &at, &[], "").await.error(), (400, "DIGEST_INVALID".into()));
        assert_eq!(c.call("DELETE", &at, &[], "").await.status, 204);
        assert_eq!(c.call("GET", &at, &[], "").await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn interrupted_upload_is_resumed() {
    on_both(|c| async move {
        let id = c.registry.start_upload("shop/web").await.unwrap();
        let broken: Vec<std::result::Result<Bytes, BodyError>> =
            vec![Ok(vec![7u8; 700_000].into()), Ok("tail".into()), Err("the connection was lost".into())];
        let e = c.registry.append("shop/web", &id, None, Box::pin(futures_util::stream::iter(broken))).await;
        assert!(matches!(e, Err(Error::Body { received: 700_004, .. })));
        assert_eq!(c.registry.upload_size("shop/web", &id).await.unwrap(), 700_004);
        let whole = [vec![7u8; 700_000], b"tail and more".to_vec()].concat();
        let rest: Vec<std::result::Result<Bytes, BodyError>> = vec![Ok(" and more".into())];
        let rest = Box::pin(futures_util::stream::iter(rest));
        c.registry.append("shop/web", &id, Some(700_004), rest).await.unwrap();
        c.registry.finish_upload("shop/web", &id, &Digest::of(&whole)).await.unwrap();
        assert_eq!(c.registry.blob_size("shop/web", &Digest::of(&whole)).await.unwrap(), whole.len() as u64);
    })
    .await;
}

#[tokio::test]
async fn images_and_tags() {
    on_both(|c| async move {
        let mut pushes = c.registry.pushes();
        let image = c.image("shop/web", "1").await;
        let digest = Digest::of(&image);
        for tag in ["v1", "latest", "a"] {
            let put = c.put("shop/web", tag, IMAGE, &image).await;
            assert_eq!((put.status, put.header("docker-content-digest")), (201, digest.as_str()));
            let pushed = Pushed { repository: "shop/web".into(), tag: tag.into(), digest: digest.clone() };
            assert_eq!(pushes.recv().await.unwrap(), pushed);
        }
        for reference in ["v1", digest.as_str()] {
            let path = format!("/v2/shop/web/manifests/{reference}");
            let got = c.call("GET", &path, &[], "").await;
            assert_eq!((got.status, got.header("content-type"), &got.body[..]), (200, IMAGE, &image[..]));
            let head = c.call("HEAD", &path, &[], "").await;
            assert_eq!((head.status, head.header("docker-content-digest")), (200, digest.as_str()));
            assert_eq!(head.header("content-length"), image.len().to_string());
        }
        let page = c.call("GET", "/v2/shop/web/tags/list?n=2", &[], "").await;
        assert_eq!(page.json(), json!({"name": "shop/web", "tags": ["a", "latest"]}));
        assert_eq!(page.header("link"), "</v2/shop/web/tags/list?n=2&last=latest>; rel=\"next\"");
        let rest = c.call("GET", "/v2/shop/web/tags/list?n=2&last=latest", &[], "").await;
        assert_eq!((rest.json()["tags"].clone(), rest.header("link")), (json!(["v1"]), ""));

        let images = c.registry.images("shop/web").await.unwrap();
        let size = "{\"seed\":\"1\"}".len() + "layer 1".len();
        assert_eq!((images.len(), images[0].size_bytes), (1, size as u64));
        assert_eq!(
            (&images[0].tags[..], images[0].pushed),
            (&["a", "latest", "v1"].map(String::from)[..], Timestamp(1_000))
        );
        assert_eq!(c.registry.resolve("shop/web", &"v1".parse().unwrap()).await.unwrap(), digest);

        let layer = format!("/v2/shop/web/blobs/{}", Digest::of(b"layer 1"));
        assert_eq!(c.call("DELETE", &layer, &[], "").await.error(), (409, "DENIED".into()));
        assert_eq!(c.call("DELETE", "/v2/shop/web/manifests/v1", &[], "").await.status, 202);
        assert_eq!(
            c.call("GET", "/v2/shop/web/manifests/v1", &[], "").await.error(),
            (404, "MANIFEST_UNKNOWN".into())
        );
        let by_digest = format!("/v2/shop/web/manifests/{digest}");
        assert_eq!(c.call("HEAD", &by_digest, &[], "").await.status, 200);
        assert_eq!(c.call("DELETE", &by_digest, &[], "").await.status, 202);
        assert_eq!(c.call("GET", "/v2/shop/web/tags/list", &[], "").await.json()["tags"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn refuses_manifests() {
    on_both(|c| async move {
        let image = c.image("shop/web", "1").await;
        let refused =
            async |bytes: &[u8], media_type: &str| c.put("shop/web", "x", media_type, bytes).await.error();
        let mut lacking: Value = serde_json::from_slice(&image).unwrap();
        lacking["layers"][0]["digest"] = json!(Digest::of(b"never pushed"));
        let unknown = (400, "MANIFEST_BLOB_UNKNOWN".to_owned());
        assert_eq!(refused(lacking.to_string().as_bytes(), IMAGE).await, unknown);
        lacking["layers"][0]["mediaType"] =
            json!("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
        assert_eq!(c.put("shop/web", "x", IMAGE, lacking.to_string().as_bytes()).await.status, 201);
        let child = json!({"mediaType": IMAGE, "size": 1, "digest": Digest::of(b"no manifest")});
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child]}).to_string();
        assert_eq!(refused(index.as_bytes(), INDEX).await, unknown);
        let invalid = (400, "MANIFEST_INVALID".to_owned());
        assert_eq!(refused(b"{", IMAGE).await, invalid);
        assert_eq!(refused(&image, INDEX).await, invalid);
        assert_eq!(refused(br#"{"schemaVersion":2}"#, "application/x").await, invalid);
        assert_eq!(refused(br#"{"schemaVersion":1}"#, IMAGE).await, invalid);
        assert_eq!(refused(&vec![b' '; MANIFEST_BYTES + 1], IMAGE).await, (413, "SIZE_INVALID".into()));
        let wrong = c.put("shop/web", Digest::of(b"").as_str(), IMAGE, &image).await;
        assert_eq!(wrong.error(), (400, "DIGEST_INVALID".into()));
        assert_eq!(c.put("shop/web", ".bad", IMAGE, &image).await.error(), (400, "TAG_INVALID".into()));
    })
    .await;
}

#[tokio::test]
async fn immutable_tags() {
    on_both(|c| async move {
        c.registry.create_repository("fixed", RepositorySpec { immutable_tags: true }).await.unwrap();
        let (one, two) = (c.image("fixed", "1").await, c.image("fixed", "2").await);
        assert_eq!(c.put("fixed", "v1", IMAGE, &one).await.status, 201);
        assert_eq!(c.put("fixed", "v1", IMAGE, &one).await.status, 201, "the same image again");
        assert_eq!(c.put("fixed", "v1", IMAGE, &two).await.error(), (400, "TAG_INVALID".into()));
        assert_eq!(c.registry.resolve("fixed", &"v1".parse().unwrap()).await.unwrap(), Digest::of(&one));
        c.registry.set_repository("fixed", RepositorySpec { immutable_tags: false }).await.unwrap();
        assert_eq!(c.put("fixed", "v1", IMAGE, &two).await.status, 201);
        assert_eq!(c.registry.resolve("fixed", &"v1".parse().unwrap()).await.unwrap(), Digest::of(&two));
    })
    .await;
}

#[tokio::test]
async fn indexes_and_referrers() {
    on_both(|c| async move {
        let image = c.image("shop/web", "1").await;
        let digest = Digest::of(&image);
        c.put("shop/web", digest.as_str(), IMAGE, &image).await;
        let child = json!({"mediaType": IMAGE, "size": image.len(), "digest": digest});
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child]}).to_string();
        assert_eq!(c.put("shop/web", "all", INDEX, index.as_bytes()).await.status, 201);
        let mut about: Value = serde_json::from_slice(&image).unwrap();
        about["subject"] = child.clone();
        about["annotations"] = json!({"k": "v"});
        for kind in ["application/sbom", "application/signature"] {
            about["artifactType"] = json!(kind);
            let text = about.to_string();
            let put = c.put("shop/web", Digest::of(text.as_bytes()).as_str(), IMAGE, text.as_bytes()).await;
            assert_eq!((put.status, put.header("oci-subject")), (201, digest.as_str()));
        }
        let path = format!("/v2/shop/web/referrers/{digest}");
        let all = c.call("GET", &path, &[], "").await;
        assert_eq!(
            (all.header("content-type"), all.json()["manifests"].as_array().unwrap().len()),
            (INDEX, 2)
        );
        let some = c.call("GET", &format!("{path}?artifactType=application/sbom"), &[], "").await;
        assert_eq!(some.header("oci-filters-applied"), "artifactType");
        let manifests = &some.json()["manifests"];
        assert_eq!(
            (manifests.as_array().unwrap().len(), &manifests[0]["annotations"]["k"]),
            (1, &json!("v"))
        );
        let none = c.call("GET", &format!("/v2/shop/web/referrers/{}", Digest::of(b"")), &[], "").await;
        assert_eq!((none.status, &none.json()["manifests"]), (200, &json!([])));
    })
    .await;
}

#[tokio::test]
async fn collects_only_unused_files() {
    on_both(|c| async move {
        let image = c.image("shop/web", "1").await;
        c.put("shop/web", "v1", IMAGE, &image).await;
        let stray = c.push_blob("shop/web", b"never named").await;
        let running = c.push_blob("shop/web", b"in use by a container").await;
        let collect =
            async |keep: &Digest| c.registry.collect(HashSet::from([keep.clone()]), 500).await.unwrap();
        assert_eq!(collect(&running).await, Collected::default(), "too young");
        c.clock.advance_ms(1_000);
        assert_eq!(collect(&running).await, Collected { files: 1, size_bytes: 11 });
        assert!(matches!(c.registry.blob_size("shop/web", &stray).await, Err(Error::NoSuchBlob { .. })));
        let v1: Reference = "v1".parse().unwrap();
        let layer = Digest::of(b"layer 1");
        let runs = c.registry.resolve("shop/web", &v1).await.unwrap();
        assert_eq!(c.registry.manifest("shop/web", &v1).await.unwrap().bytes, image);
        assert_eq!(c.registry.blob_size("shop/web", &layer).await.unwrap(), 7);
        let by_digest = Reference::Digest(Digest::of(&image));
        c.registry.delete_image("shop/web", &by_digest).await.unwrap();
        assert_eq!(
            collect(&runs).await.files,
            1,
            "the image in use must stay complete; the blob is no longer in use"
        );
        assert_eq!(collect(&stray).await.files, 3, "manifest, config and layer");
        assert_eq!(c.push_blob("shop/web", b"layer 1").await, layer, "can come back");
        assert_eq!(c.registry.blob_size("shop/web", &layer).await.unwrap(), 7);
        c.registry.delete_repository("shop/web").await.unwrap();
        assert_eq!(collect(&stray).await.files, 1);
    })
    .await;
}

#[tokio::test]
async fn collects_in_bounded_pieces() {
    on_both(|c| async move {
        for n in 0..COLLECTED_AT_ONCE + 3 {
            c.push_blob("shop/web", format!("stray {n}").as_bytes()).await;
        }
        c.clock.advance_ms(1_000);
        let mut files = Vec::new();
        for _ in 0..3 {
            files.push(c.registry.collect(HashSet::new(), 500).await.unwrap().files);
        }
        assert_eq!(files, [COLLECTED_AT_ONCE, 3, 0]);
    })
    .await;
}

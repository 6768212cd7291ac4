//! The contract of every implementation of [`Upstream`]: the real one reads from a small registry on loopback, without TLS as a
//! mirror there may be. TLS, redirects and faults of registries are tested with the whole program, in `tests/clients`.
#![allow(clippy::unwrap_used)] // a test's own helpers, outside of #[test]

use bytes::Bytes;
use escale_base::Secret;
use escale_upstream::*;
use futures_util::StreamExt;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, header, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{future::Future, sync::Arc};
use tokio::net::TcpListener;

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const MANIFEST: &[u8] = br#"{"schemaVersion":2}"#;
const BLOB: &[u8] = b"0123456789";

fn hub(path: &str) -> Repository {
    Repository::new("docker.io", path).unwrap()
}

fn login(password: &str) -> Credentials {
    Credentials { user: "alice".into(), password: Secret::new(password.into()) }
}

/// Pushes the images of the contract, and returns the digests of the manifest and the blob.
fn images(fake: &Fake) -> (String, String) {
    for path in ["public", "private"] {
        fake.push(&hub(path), "1", IMAGE, MANIFEST);
        fake.push_blob(&hub(path), BLOB);
    }
    fake.push(&hub("public"), "huge", IMAGE, &vec![b' '; MANIFEST_BYTES as usize + 1]);
    fake.protect(&hub("private"), login("right"));
    (fake.push(&hub("public"), "1", IMAGE, MANIFEST), fake.push_blob(&hub("public"), BLOB))
}

/// A registry that serves the fake's images over HTTP, with Basic authentication.
async fn serve(fake: Arc<Fake>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let fake = Arc::clone(&fake);
            let answer = service_fn(move |request| answer(Arc::clone(&fake), request));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    port
}

async fn answer(fake: Arc<Fake>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
    // "alice:right"
    let known = request.headers().get(header::AUTHORIZATION).is_some_and(|v| v == "Basic YWxpY2U6cmlnaHQ=");
    let right = login("right");
    let credentials = known.then_some(&right);
    let parts: Vec<&str> = request.uri().path().split('/').collect();
    let [_, "v2", "library", path, kind, reference] = parts[..] else { panic!("{parts:?}") };
    let begin: u64 = request.headers().get(header::RANGE).map_or(0, |v| {
        v.to_str().unwrap().trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap()
    });
    let found = if kind == "manifests" {
        let manifest = fake.manifest(&hub(path), &reference.parse()?, credentials).await;
        // The client must refuse what is too large, so this server does not.
        let huge = || Manifest {
            digest: String::new(),
            media_type: IMAGE.into(),
            bytes: vec![b' '; 5 << 20].into(),
        };
        let manifest = if reference == "huge" { Ok(huge()) } else { manifest };
        manifest.map(|m| (m.media_type, m.bytes))
    } else {
        let blob = Blob { digest: reference.into(), size_bytes: BLOB.len() as u64 };
        let found = fake.blob(&hub(path), &blob, 0, credentials).await;
        found.map(|_| ("application/octet-stream".into(), Bytes::from_static(BLOB)))
    };
    let builder = Response::builder();
    Ok(match found {
        // Ranges of the private repository are ignored, as some registries do.
        Ok((_, bytes)) if begin > 0 && path == "public" => builder
            .status(206)
            .header(header::CONTENT_RANGE, format!("bytes {begin}-{}/{}", bytes.len() - 1, bytes.len()))
            .body(Full::new(bytes.slice(begin as usize..)))
            .unwrap(),
        Ok((kind, bytes)) => builder.header(header::CONTENT_TYPE, kind).body(Full::new(bytes)).unwrap(),
        Err(Error::Denied { .. }) => builder
            .status(401)
            .header(header::WWW_AUTHENTICATE, "Basic realm=\"x\"")
            .body(Full::default())
            .unwrap(),
        Err(_) => builder.status(404).body(Full::default()).unwrap(),
    })
}

async fn on_both<F: Future<Output = ()>>(contract: impl Fn(Arc<dyn Upstream>, String, String) -> F) {
    for real in [false, true] {
        let fake = Arc::new(Fake::default());
        let (manifest, blob) = images(&fake);
        let upstream: Arc<dyn Upstream> = if real {
            let mirrors = format!("docker.io=localhost:{}", serve(fake).await).parse().unwrap();
            Arc::new(Client::new(mirrors, Proxies::default(), Roots::new(None)))
        } else {
            fake
        };
        contract(upstream, manifest, blob).await;
    }
}

async fn read(
    upstream: &dyn Upstream,
    path: &str,
    blob: &Blob,
    from: u64,
    login: Option<&Credentials>,
) -> Option<Bytes> {
    let mut body = upstream.blob(&hub(path), blob, from, login).await.unwrap();
    let mut all = Vec::new();
    while let Some(bytes) = body.next().await {
        all.extend_from_slice(&bytes.ok()?);
    }
    Some(all.into())
}

#[tokio::test]
async fn manifests_are_found_by_tag_and_digest() {
    on_both(|upstream, digest, _| async move {
        for reference in ["1", &digest] {
            let found = upstream.manifest(&hub("public"), &reference.parse().unwrap(), None).await.unwrap();
            let expected = Manifest {
                digest: digest.clone(),
                media_type: IMAGE.into(),
                bytes: Bytes::from_static(MANIFEST),
            };
            assert_eq!(found, expected);
        }
        let none = format!("sha256:{}", "0".repeat(64));
        for reference in ["2", &none] {
            let found = upstream.manifest(&hub("public"), &reference.parse().unwrap(), None).await;
            assert!(
                matches!(&found, Err(Error::NotFound { image }) if image.ends_with(reference)),
                "{found:?}"
            );
        }
        let huge = upstream.manifest(&hub("public"), &"huge".parse().unwrap(), None).await;
        assert!(matches!(&huge, Err(Error::Invalid { why, .. }) if why.contains("larger than")), "{huge:?}");
    })
    .await;
}

#[tokio::test]
async fn private_repositories_need_their_login() {
    on_both(|upstream, digest, blob| async move {
        let tag = "1".parse().unwrap();
        let blob = Blob { digest: blob, size_bytes: BLOB.len() as u64 };
        for wrong in [None, Some(login("wrong"))] {
            let found = upstream.manifest(&hub("private"), &tag, wrong.as_ref()).await;
            assert!(matches!(found, Err(Error::Denied { .. })), "{found:?}");
            let found = upstream.blob(&hub("private"), &blob, 0, wrong.as_ref()).await;
            assert!(matches!(found.err(), Some(Error::Denied { .. })));
        }
        let right = login("right");
        assert_eq!(upstream.manifest(&hub("private"), &tag, Some(&right)).await.unwrap().digest, digest);
        // What a login may read is not kept for those without it.
        let found = upstream.manifest(&hub("private"), &tag, None).await;
        assert!(matches!(found, Err(Error::Denied { .. })), "{found:?}");
    })
    .await;
}

#[tokio::test]
async fn blobs_are_read_from_an_offset_and_have_the_announced_size() {
    on_both(|upstream, _, digest| async move {
        let right = login("right");
        for (path, login) in [("public", None), ("private", Some(&right))] {
            let read = async |size_bytes: u64, from: u64| {
                read(&*upstream, path, &Blob { digest: digest.clone(), size_bytes }, from, login).await
            };
            assert_eq!(read(10, 0).await.as_deref(), Some(BLOB));
            assert_eq!(read(10, 4).await.as_deref(), Some(&BLOB[4..]), "{path}");
            for wrong in [9, 11] {
                assert_eq!(read(wrong, 0).await, None, "{path} {wrong}");
            }
        }
        let none = Blob { digest: format!("sha256:{}", "0".repeat(64)), size_bytes: 1 };
        let found = upstream.blob(&hub("public"), &none, 0, None).await;
        assert!(matches!(found.err(), Some(Error::NotFound { .. })));
    })
    .await;
}

#[tokio::test]
async fn client_of_mirrors_only_connects_to_no_other_host() {
    let client = Client::new("ghcr.io=localhost:1".parse().unwrap(), Proxies::default(), Roots::new(None));
    let client = client.of_mirrors_only();
    let tag = "1".parse().unwrap();
    let found = client.manifest(&hub("public"), &tag, None).await;
    assert!(matches!(&found, Err(Error::NoInternet { host }) if host == "registry-1.docker.io"), "{found:?}");
    let found = client.manifest(&Repository::new("ghcr.io", "a").unwrap(), &tag, None).await;
    assert!(matches!(found, Err(Error::Unreachable { .. })), "{found:?}");
}

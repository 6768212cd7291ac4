use super::{
    building::{DOCKERFILE, Fixture, nothing},
    serving::serve,
};
use escale_base::Secret;
use escale_imagebuild::{Credentials, Progress, RegistryError, Target, push};
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, StatusCode, body::Bytes, body::Incoming};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::net::TcpListener;

/// A registry that stores uploads and verifies their digests.
#[derive(Default)]
struct Registry {
    blobs: Mutex<BTreeMap<String, usize>>,
    manifests: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl Registry {
    async fn answer(self: Arc<Registry>, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let answer = |status: StatusCode| Response::builder().status(status);
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let path = parts.uri.path().to_owned();
        let secret = parts.headers.get("authorization").is_some_and(|a| a == "Basic QVdTOnRva2Vu"); // AWS:token
        let answer = match (parts.method, path.rsplit('/').next().unwrap_or_default()) {
            _ if !secret => answer(StatusCode::UNAUTHORIZED),
            (Method::HEAD, digest) if self.blobs.lock().unwrap().contains_key(digest) => {
                answer(StatusCode::OK)
            }
            (Method::HEAD, _) => answer(StatusCode::NOT_FOUND),
            (Method::POST, "") => {
                let location = format!("http://elsewhere{path}17?state=a");
                answer(StatusCode::ACCEPTED).header("location", location)
            }
            (Method::PUT, "17") => {
                let digest = format!("sha256:{}", hex::encode(Sha256::digest(&body)));
                assert_eq!(parts.uri.query(), Some(format!("state=a&digest={digest}").as_str()));
                self.blobs.lock().unwrap().insert(digest, body.len());
                answer(StatusCode::CREATED)
            }
            (Method::PUT, "latest") => {
                self.manifests.lock().unwrap().insert(path, body.to_vec());
                answer(StatusCode::CREATED)
            }
            _ => answer(StatusCode::BAD_REQUEST),
        };
        answer.body(Full::default()).unwrap()
    }
}

fn target(address: String, password: &str) -> Target {
    let credentials = Credentials { user: "AWS".into(), password: Secret::new(password.into()) };
    Target {
        address,
        host: None,
        repository: "shop/web".into(),
        reference: "latest".into(),
        credentials: Some(credentials),
        tls: None,
    }
}

#[tokio::test]
async fn pushes_only_missing_blobs() {
    let fixture = Fixture::new();
    // larger than one piece of the body
    std::fs::write(fixture.folder.path().join("context/server"), vec![7; 300_000]).unwrap();
    let built = fixture.build(DOCKERFILE, "out", &nothing()).unwrap();
    let registry = Arc::new(Registry::default());
    let target = target(serve(&registry, Registry::answer).await, "token");
    let mut seen = Vec::new();
    let digest = push(&built.layout, &target, &mut |p| seen.push(p)).await.unwrap();
    assert_eq!(digest, built.digest);
    let sent: BTreeMap<String, usize> =
        built.layout.blobs().into_iter().map(|(digest, size)| (digest, size as usize)).collect();
    assert_eq!(*registry.blobs.lock().unwrap(), sent);
    let manifest = registry.manifests.lock().unwrap()["/v2/shop/web/manifests/latest"].clone();
    assert_eq!(manifest, built.layout.manifest_bytes().unwrap());
    assert_eq!(seen.len(), 2 * sent.len() + 1);

    seen.clear();
    push(&built.layout, &target, &mut |p| seen.push(p)).await.unwrap();
    let present = seen.iter().filter(|p| matches!(p, Progress::Present { .. })).count();
    assert_eq!((present, seen.len()), (sent.len(), sent.len() + 1), "nothing is sent twice");
}

#[tokio::test]
async fn reports_wrong_token_and_unreachable_registry() {
    let fixture = Fixture::new();
    let built = fixture.build(DOCKERFILE, "out", &nothing()).unwrap();
    let address = serve(&Arc::new(Registry::default()), Registry::answer).await;
    let refused = push(&built.layout, &target(address, "wrong"), &mut |_| {}).await.unwrap_err();
    assert!(matches!(refused, RegistryError::Unauthorized { .. }), "{refused}");
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let unreachable = push(&built.layout, &target(closed, "token"), &mut |_| {}).await.unwrap_err();
    assert!(matches!(unreachable, RegistryError::Unreachable { .. }), "{unreachable}");
}

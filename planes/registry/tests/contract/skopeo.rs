//! Black box: an image pushed and pulled by skopeo over loopback.

use crate::{Client, Guard, IMAGE};
use escale_base::Clock;
use escale_registry::*;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use std::{path::Path, sync::Arc};

/// Serves until it is dropped; returns the port.
async fn serve(http: Http) -> (u16, tokio::task::JoinSet<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let http = http.clone();
            connections.spawn(async move {
                let serve = hyper::service::service_fn(move |request| {
                    let http = http.clone();
                    async move { Ok::<_, std::convert::Infallible>(http.handle(request).await) }
                });
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                // A client that disconnects is no failure.
                let _ = server.serve_connection(TokioIo::new(socket), serve).await;
            });
        }
    });
    (port, tasks)
}

/// An OCI layout with one image of one layer.
fn layout(root: &Path) -> Digest {
    std::fs::create_dir_all(root.join("blobs/sha256")).unwrap();
    let write = |media_type: &str, bytes: &[u8]| {
        let digest = Digest::of(bytes);
        std::fs::write(root.join("blobs/sha256").join(digest.hex()), bytes).unwrap();
        json!({"mediaType": media_type, "size": bytes.len(), "digest": digest})
    };
    let noise: Vec<u8> =
        (0..3_000_000u64).map(|i| (i.wrapping_mul(i).wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let layer = write("application/vnd.oci.image.layer.v1.tar", &noise);
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {"Cmd": ["x"]},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    });
    let config = write("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes());
    let image = json!({"schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": [layer]});
    let image = write(IMAGE, image.to_string().as_bytes());
    let index = json!({"schemaVersion": 2, "manifests": [image]});
    std::fs::write(root.join("index.json"), index.to_string()).unwrap();
    std::fs::write(root.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    config["digest"].as_str().unwrap().parse().unwrap()
}

async fn skopeo(args: &[&str]) -> std::result::Result<String, String> {
    let mut command = tokio::process::Command::new("skopeo");
    let output = command.arg("--insecure-policy").args(args).output().await.unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_and_pulls() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::machine();
    let settings =
        Settings { root: dir.path().join("registry"), clock: clock.clone(), cache_bytes: CACHE_BYTES };
    let store = Store::open(settings).unwrap();
    let client = Client::of(Arc::new(store.clone()), clock);
    store.create_repository("shop/web", RepositorySpec { immutable_tags: true }).await.unwrap();
    store.create_repository("copy", RepositorySpec::default()).await.unwrap();
    let (port, _tasks) = serve(Http::new(client.registry.clone(), Arc::new(Guard))).await;
    let config = layout(&dir.path().join("one"));
    let from = format!("oci:{}/one", dir.path().display());
    let at = |name: &str| format!("docker://127.0.0.1:{port}/{name}");
    let push = ["copy", "--dest-tls-verify=false"];
    let creds = "--dest-creds=user:pw";

    let e = skopeo(&[&push[..], &[&from, &at("shop/web:v1")]].concat()).await.unwrap_err();
    assert!(e.contains("nauthorized") || e.contains("authentication required"), "{e}");
    let e = skopeo(&[&push[..], &[creds, &from, &at("unknown:v1")]].concat()).await.unwrap_err();
    assert!(e.contains("does not exist"), "{e}");
    skopeo(&[&push[..], &[creds, &from, &at("shop/web:v1")]].concat()).await.unwrap();

    let image = store.images("shop/web").await.unwrap().remove(0);
    assert_eq!(image.tags, ["v1"]);
    assert_eq!(
        std::fs::read(store.blob_path(&config)).unwrap().len() as u64,
        store.blob_size("shop/web", &config).await.unwrap()
    );
    let inspect = ["inspect", "--tls-verify=false", "--creds=user:pw", &at("shop/web:v1")];
    assert!(skopeo(&inspect).await.unwrap().contains(image.digest.as_str()));

    let (src, to) = (at("shop/web:v1"), format!("oci:{}/two:x", dir.path().display()));
    skopeo(&["copy", "--src-tls-verify=false", "--src-creds=user:pw", &src, &to]).await.unwrap();
    let pulled = dir.path().join("two/blobs/sha256").join(image.digest.hex());
    assert_eq!(Digest::of(&std::fs::read(pulled).unwrap()), image.digest);
    // Between repositories: blobs are mounted, the digest stays the same.
    let both = ["copy", "--src-tls-verify=false", "--dest-tls-verify=false", "--src-creds=user:pw", creds];
    skopeo(&[&both[..], &[&src, &at("copy:y")]].concat()).await.unwrap();
    assert_eq!(store.resolve("copy", &"y".parse().unwrap()).await.unwrap(), image.digest);
    // With Docker's own media types the digest differs, so the immutable tag refuses it.
    let docker = [&push[..], &["--format=v2s2", creds, &from]].concat();
    let e = skopeo(&[&docker[..], &[&at("shop/web:v1")]].concat()).await.unwrap_err();
    assert!(e.contains("already exists"), "{e}");
    skopeo(&[&docker[..], &[&at("shop/web:v2")]].concat()).await.unwrap();
    let v2 = store.manifest("shop/web", &"v2".parse().unwrap()).await.unwrap();
    assert_eq!(v2.media_type, "application/vnd.docker.distribution.manifest.v2+json");
    skopeo(&["delete", "--tls-verify=false", "--creds=user:pw", &at("copy:y")]).await.unwrap();
    assert!(store.images("copy").await.unwrap().is_empty());
}

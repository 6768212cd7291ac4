//! `kill -9` during pushes: acknowledged blobs exist and are complete, uploads can continue, and collect()
//! knows every file that the registry stored.

use escale_base::{Clock, Timestamp};
use escale_registry::*;
use std::{
    collections::HashSet,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

const ROOT: &str = "REGISTRY_CRASH_ROOT";

fn open(root: &Path, now: i64) -> Store {
    let clock = Clock::by_hand(Timestamp(now));
    Store::open(Settings { root: root.into(), clock, cache_bytes: CACHE_BYTES }).unwrap()
}

fn stream(bytes: Vec<u8>) -> Body {
    let chunks: Vec<std::result::Result<bytes::Bytes, BodyError>> =
        bytes.chunks(100_000).map(|c| Ok(bytes::Bytes::copy_from_slice(c))).collect();
    Box::pin(futures_util::stream::iter(chunks))
}

fn blob(seed: u64) -> Vec<u8> {
    seed.to_le_bytes().repeat(1000 + 90_000 * (seed % 2) as usize)
}

/// The process that is killed: pushes blobs until it dies, and leaves an incomplete upload.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by survives_kill_9"]
async fn child() {
    let root = std::env::var(ROOT).expect("is started by survives_kill_9");
    let store = open(root.as_ref(), 1_000);
    let _ = store.create_repository("r", RepositorySpec::default()).await;
    let half = store.start_upload("r").await.unwrap();
    store.append("r", &half, None, stream(vec![1; 600_000])).await.unwrap();
    println!("HALF {}", half.0);
    let workers: Vec<_> = (0..4u64)
        .map(|worker| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0.. {
                    let seed = u64::from(std::process::id()) << 24 | n << 4 | worker;
                    let id = store.start_upload("r").await.unwrap();
                    store.append("r", &id, None, stream(blob(seed))).await.unwrap();
                    store.finish_upload("r", &id, &Digest::of(&blob(seed))).await.unwrap();
                    println!("ACK {seed}");
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
}

#[tokio::test]
async fn survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged: Vec<u64> = Vec::new();
    for round in 0..4 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child", "--ignored", "--nocapture"])
            .env(ROOT, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (mut count, mut half) = (0, None);
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            half = half.or(line.split_once("HALF ").map(|(_, id)| UploadId(id.to_owned())));
            let Some((_, seed)) = line.split_once("ACK ") else { continue };
            acknowledged.push(seed.parse().unwrap());
            count += 1;
            if count == 10 + round * 7 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(count >= 10, "the child printed only {count} pushes");
        let store = open(dir.path(), 1_000);
        for seed in &acknowledged {
            let digest = Digest::of(&blob(*seed));
            assert!(store.blob_size("r", &digest).await.is_ok(), "{seed} was acknowledged");
        }
        for file in std::fs::read_dir(dir.path().join("blobs/sha256")).unwrap() {
            let path = file.unwrap().path();
            let digest = Digest::of(&std::fs::read(&path).unwrap());
            assert_eq!(
                path.file_name().unwrap().to_str(),
                Some(digest.hex()),
                "a visible blob must be complete"
            );
        }
        let half = half.expect("the child prints its upload before its first push");
        assert_eq!(store.append("r", &half, Some(600_000), stream(vec![2; 1000])).await.unwrap(), 601_000);
        let whole = [vec![1; 600_000], vec![2; 1000]].concat();
        store.finish_upload("r", &half, &Digest::of(&whole)).await.unwrap();
    }
    let store = open(dir.path(), 10_000_000);
    store.collect(HashSet::new(), 1).await.unwrap();
    for place in ["blobs/sha256", "registry/uploads", "registry/tmp"] {
        let left: Vec<_> = std::fs::read_dir(dir.path().join(place)).unwrap().collect();
        assert!(left.is_empty(), "{place}: {left:?}");
    }
}

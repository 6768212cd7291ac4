//! `kill -9` during puts: acknowledged objects exist, visible objects are complete, and a sweep removes
//! all other files.

use crate::{bytes, open, settings, store::files};
use escale_objects::*;
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

const ROOT: &str = "OBJECTS_CRASH_ROOT";
const KEYS: u64 = 24;

fn sent(seed: u64) -> Vec<u8> {
    // Short bodies are in the index, longer ones in files, some with more than one chunk.
    bytes([100, 3_000, 40_000, 600_000][(seed % 4) as usize], seed)
}

/// The process that is killed: puts until it dies, and prints each acknowledgement on stdout.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by survives_kill_9"]
async fn child() {
    let root = std::env::var(ROOT).expect("is started by survives_kill_9");
    let started = Instant::now();
    let store = loop {
        match Store::open(settings(root.as_ref())) {
            Ok(store) => break Arc::new(store),
            // The lock of the process that checked the last round can outlive its store for a moment: another test of it may be
            // about to start a program, which has a copy of the file until then.
            Err(error) if started.elapsed() < Duration::from_secs(2) => {
                eprintln!("{error}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{error}"),
        }
    };
    let _ = store.create_bucket("b").await;
    let start = u64::from(std::process::id()) << 20;
    let workers: Vec<_> = (0..8u64)
        .map(|worker| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0.. {
                    // Each key has one worker, so that its acknowledgements are in order.
                    let key = worker + 8 * (n % (KEYS / 8));
                    let seed = start + n * 8 + worker;
                    store.put("b", &format!("k{key}"), Put::default(), body(sent(seed))).await.unwrap();
                    println!("ACK {key} {seed}");
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
    let mut acknowledged: BTreeMap<u64, u64> = BTreeMap::new();
    for round in 0..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child", "--ignored", "--nocapture"])
            .env(ROOT, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut count = 0;
        // The last acknowledgement printed by each worker of this child, as its number of puts.
        let mut printed: BTreeMap<u64, u64> = BTreeMap::new();
        let start = u64::from(child.id()) << 20;
        for line in lines {
            let line = line.unwrap();
            let Some((_, ack)) = line.split_once("ACK ") else { continue };
            let Some((key, seed)) = ack.split_once(' ') else { continue };
            let (key, seed): (u64, u64) = (key.parse().unwrap(), seed.parse().unwrap());
            acknowledged.insert(key, seed);
            printed.insert(key % 8, (seed - start) / 8 + 1);
            count += 1;
            if count == 30 + round * 37 {
                // The pipe is read to its end: the child may print more before it dies.
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(count >= 30, "the child printed only {count} puts");
        let store = open(dir.path());
        let listed = store.list("b", &List::default()).await.unwrap().objects;
        assert!(listed.len() >= acknowledged.len());
        for (key, seed) in &acknowledged {
            let got = store.get("b", &format!("k{key}"), Read::default()).await.unwrap();
            let etag = got.object.entry.etag.clone();
            let whole = read_all(got.body).await.unwrap();
            // Either the last acknowledged put, or the worker's put in progress: committed, but not printed.
            let worker = key % 8;
            let under_way = start + printed.get(&worker).unwrap_or(&0) * 8 + worker;
            let found = [*seed, under_way].into_iter().find(|s| sent(*s) == whole);
            assert!(found.is_some(), "k{key} has neither {seed} nor {under_way}");
            let put = store.put("b", "check", Put::default(), body(whole)).await.unwrap();
            assert_eq!(put.entry.etag, etag, "the etag must match the bytes");
        }
        store.delete("b", "check", Delete::default()).await.unwrap();
        store.sweep().await.unwrap();
        let in_files = listed.iter().filter(|e| e.size_bytes > 1024).count();
        store.set_versioning("b", Versioning::Off).await.unwrap();
        assert_eq!(files(dir.path()).len(), in_files, "files and objects must match");
    }
}

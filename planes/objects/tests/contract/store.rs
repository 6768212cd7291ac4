//! Behaviour that only the real store has: files, readers that outlive an object, a lock, a sweep.

use crate::{bytes, open};
use escale_base::{Clock, Timestamp};
use escale_objects::*;
use std::path::Path;

pub(crate) fn files(root: &Path) -> Vec<std::path::PathBuf> {
    let shards = std::fs::read_dir(root.join("data")).unwrap().map(|d| d.unwrap().path());
    let inside = |d: std::path::PathBuf| std::fs::read_dir(d).unwrap().map(|f| f.unwrap().path());
    shards.flat_map(inside).chain(inside(root.join("tmp"))).collect()
}

#[tokio::test]
async fn leaves_no_file_behind() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.create_bucket("b").await.unwrap();
    let big = bytes(700_000, 1);
    for _ in 0..3 {
        store.put("b", "k", Put::default(), body(big.clone())).await.unwrap();
    }
    assert_eq!(files(dir.path()).len(), 1);
    let refused = Put { condition: Condition::Absent, ..Put::default() };
    store.put("b", "k", refused, body(big.clone())).await.unwrap_err();
    let wrong = Put { expect: vec![(Algorithm::Sha1, vec![0; 20])], ..Put::default() };
    store.put("b", "k2", wrong, body(big.clone())).await.unwrap_err();
    let broken = vec![Ok(big.clone().into()), Err("broken".into())];
    store.put("b", "k2", Put::default(), Box::pin(futures_util::stream::iter(broken))).await.unwrap_err();
    let copy = Copy {
        from_bucket: "b".into(),
        from_key: "k".into(),
        to_bucket: "b".into(),
        to_key: "copy".into(),
        ..Copy::default()
    };
    store.copy(copy).await.unwrap();
    // A write runs after the earlier jobs of the index's thread.
    store.set_versioning("b", Versioning::Off).await.unwrap();
    assert_eq!(files(dir.path()).len(), 1, "the copy shares the file");
    for key in ["k", "copy"] {
        store.delete("b", key, Delete::default()).await.unwrap();
    }
    store.set_versioning("b", Versioning::Off).await.unwrap();
    assert_eq!(files(dir.path()), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn reader_keeps_its_bytes_after_deletion() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.create_bucket("b").await.unwrap();
    let old = bytes(2_000_000, 1);
    store.put("b", "k", Put::default(), body(old.clone())).await.unwrap();
    let got = store.get("b", "k", Read::default()).await.unwrap();
    store.put("b", "k", Put::default(), body("new")).await.unwrap();
    store.delete("b", "k", Delete::default()).await.unwrap();
    assert!(read_all(got.body).await.unwrap() == old);
    store.set_versioning("b", Versioning::Off).await.unwrap();
    assert!(files(dir.path()).is_empty(), "the last reader must remove the file");
}

#[tokio::test]
async fn refuses_a_second_store_on_one_directory() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let settings = Settings {
        root: dir.path().to_owned(),
        clock: Clock::by_hand(Timestamp(0)),
        durability: Durability::Power,
        limits: Limits::default(),
    };
    let second = Store::open(settings).err().unwrap().to_string();
    assert!(second.contains("another store has it open"), "{second}");
    drop(store);
}

#[tokio::test]
async fn sweep_removes_files_without_an_object() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.create_bucket("b").await.unwrap();
    store.put("b", "k", Put::default(), body(bytes(5000, 1))).await.unwrap();
    let kept = files(dir.path()).pop().unwrap();
    // A number of an earlier start without a row, as a crash between rename and commit leaves it.
    let orphan = dir.path().join("data/09/0000000000000009");
    std::fs::write(&orphan, "left over").unwrap();
    store.sweep().await.unwrap();
    assert!(!orphan.exists() && kept.exists());
}

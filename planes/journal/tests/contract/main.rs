//! The contract of every journal, on the real one and on the fake.
#![allow(clippy::unwrap_used)] // a test may panic

use escale_base::Timestamp;
use escale_journal::{Entry, Fake, FileJournal, Journal, Limits, Query};
use std::{os::unix::fs::PermissionsExt, sync::Arc};

const LIMITS: Limits = Limits { segment_bytes: 4096, segments: 3 };

fn entry(n: i64) -> Entry {
    Entry { at: Timestamp(n * 10), text: format!("entry {n}") }
}

fn query(limit: usize) -> Query {
    Query { before: None, oldest: None, filter: Arc::new(|_| true), limit }
}

async fn texts(journal: &dyn Journal, query: Query) -> Vec<String> {
    journal.read(query).await.unwrap().into_iter().map(|k| k.entry.text).collect()
}

async fn contract(journal: &dyn Journal) {
    assert!(journal.read(query(5)).await.unwrap().is_empty());
    (0..10).for_each(|n| journal.append(entry(n)));
    let page = journal.read(query(3)).await.unwrap();
    assert_eq!(page.iter().map(|k| k.number).collect::<Vec<_>>(), [9, 8, 7]);
    assert_eq!(page[0].entry, entry(9));
    let next = Query { before: Some(7), ..query(2) };
    assert_eq!(texts(journal, next).await, ["entry 6", "entry 5"]);
    let even = Query { filter: Arc::new(|e| (e.at.0 / 10) % 2 == 0), before: Some(6), ..query(9) };
    assert_eq!(texts(journal, even).await, ["entry 4", "entry 2", "entry 0"]);
    let young = Query { oldest: Some(Timestamp(75)), ..query(9) };
    assert_eq!(texts(journal, young).await, ["entry 9", "entry 8"]);
    assert!(journal.read(Query { before: Some(0), ..query(1) }).await.unwrap().is_empty());
}

#[tokio::test]
async fn fake() {
    contract(&Fake::default()).await;
}

#[tokio::test]
async fn file() {
    let folder = tempfile::tempdir().unwrap();
    contract(&FileJournal::open(folder.path(), LIMITS).unwrap()).await;
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut all: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    all.sort();
    all
}

/// However much is appended, the size on disk stays within the limits, the newest entries stay, and numbers go on.
#[tokio::test]
async fn oldest_entries_go_when_it_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let journal = FileJournal::open(folder.path(), LIMITS).unwrap();
    for n in 0..5000 {
        journal.append(entry(n));
        if n % 100 == 0 {
            // The queue is bounded: let it drain.
            journal.read(query(1)).await.unwrap();
        }
    }
    let all = journal.read(query(10_000)).await.unwrap();
    let size: u64 = files(folder.path()).iter().map(|f| f.metadata().unwrap().len()).sum();
    assert!(size <= LIMITS.segment_bytes * LIMITS.segments as u64, "{size}");
    assert!(all.len() > 200, "{}", all.len());
    assert!(all.iter().map(|k| k.number).eq((0..5000).rev().take(all.len())), "without gaps");
    for file in files(folder.path()) {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn next_process_continues_after_a_truncated_line() {
    let folder = tempfile::tempdir().unwrap();
    let journal = FileJournal::open(folder.path(), LIMITS).unwrap();
    (0..3).for_each(|n| journal.append(entry(n)));
    assert_eq!(journal.read(query(9)).await.unwrap().len(), 3);
    drop(journal);
    let file = files(folder.path()).pop().unwrap();
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() - 4]).unwrap();
    let journal = FileJournal::open(folder.path(), LIMITS).unwrap();
    journal.append(entry(7));
    let found = journal.read(query(9)).await.unwrap();
    let found: Vec<_> = found.iter().map(|k| (k.number, k.entry.text.as_str())).collect();
    assert_eq!(found, [(2, "entry 7"), (1, "entry 1"), (0, "entry 0")]);
}

/// Invalid entries are dropped without damage to others.
#[tokio::test]
async fn refuses_entries_that_are_not_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let journal = FileJournal::open(folder.path(), LIMITS).unwrap();
    journal.append(Entry { text: "two\nlines".into(), ..entry(1) });
    journal.append(Entry { text: "x".repeat(escale_journal::ENTRY_BYTES + 1), ..entry(2) });
    journal.append(entry(3));
    assert_eq!(texts(&journal, query(9)).await, ["entry 3"]);
}

//! The contract of every log plane, on the real one and on the fake.
#![allow(clippy::unwrap_used)] // a test may panic

use escale_base::Timestamp;
use escale_logstore::{Fake, FileStore, LogStore, MESSAGE_BYTES, Message, Pattern, Query};

fn messages(list: &[(i64, &str)]) -> Vec<Message> {
    list.iter().map(|(at, text)| Message { at: Timestamp(*at), text: (*text).to_owned() }).collect()
}

fn texts(page: &escale_logstore::Page) -> Vec<&str> {
    page.messages.iter().map(|m| m.text.as_str()).collect()
}

async fn contract(store: &dyn LogStore) {
    let now = Timestamp(1000);
    assert_eq!(store.append("a", messages(&[(10, "one"), (30, "three")]), now).await.unwrap(), 2);
    assert_eq!(store.append("b", messages(&[(20, "two"), (30, "drei")]), now).await.unwrap(), 2);
    let both = ["a".to_owned(), "b".to_owned(), "not there".to_owned()];
    let all = Query { limit: 10, ..Query::default() };
    let page = store.read(&both, &all).await.unwrap();
    assert_eq!(texts(&page), ["one", "two", "three", "drei"]);
    assert!(!page.more);

    let mut query = Query { limit: 3, ..Query::default() };
    let page = store.read(&both, &query).await.unwrap();
    assert!(page.more);
    query.after = page.last;
    assert_eq!(texts(&store.read(&both, &query).await.unwrap()), ["drei"]);

    let backward = Query { limit: 2, backward: true, ..Query::default() };
    let page = store.read(&both, &backward).await.unwrap();
    assert_eq!(texts(&page), ["drei", "three"]);
    let rest = Query { after: page.last, ..backward };
    assert_eq!(texts(&store.read(&both, &rest).await.unwrap()), ["two", "one"]);

    let range = Query { from: Some(Timestamp(20)), until: Some(Timestamp(30)), limit: 9, ..Query::default() };
    assert_eq!(texts(&store.read(&both, &range).await.unwrap()), ["two"]);
    let words = |all: &[&str], none: &[&str]| Pattern {
        all: all.iter().map(|s| s.to_string()).collect(),
        any: vec![],
        none: none.iter().map(|s| s.to_string()).collect(),
    };
    let search = Query { pattern: words(&["e"], &["th"]), limit: 9, ..Query::default() };
    assert_eq!(texts(&store.read(&both, &search).await.unwrap()), ["one", "drei"]);

    assert_eq!(store.expire("a", Timestamp(30)).await.unwrap(), 1);
    let summary = store.summaries(&both).await.unwrap()["a"].clone();
    assert_eq!((summary.count, summary.bytes, summary.first), (2, 5, Some(Timestamp(30))));
    assert_eq!(store.append("a", vec![], now).await.unwrap(), 2, "the count must outlive the messages");
    store.forget("a").await.unwrap();
    store.forget("a").await.unwrap();
    assert_eq!(store.streams().await.unwrap().into_iter().collect::<Vec<_>>(), ["b"]);
}

/// Three interleaved streams: the oldest messages of all of them are dropped.
async fn trims(store: &dyn LogStore) {
    let streams = ["a", "b", "c"].map(str::to_owned);
    for (turn, stream) in streams.iter().enumerate() {
        let own: Vec<(i64, String)> =
            (0..300).map(|i| (i * 10 + turn as i64, format!("{stream}{i:03}"))).collect();
        let own: Vec<(i64, &str)> = own.iter().map(|(at, text)| (*at, text.as_str())).collect();
        store.append(stream, messages(&own), Timestamp(5000)).await.unwrap();
    }
    store.append("other", messages(&[(1, "of another group")]), Timestamp(5000)).await.unwrap();
    let each = 4 + MESSAGE_BYTES;
    assert_eq!(
        store.trim(&streams, 900 * each, "note").await.unwrap(),
        0,
        "streams below the bound must not be trimmed"
    );
    // To fifteen sixteenths of 800: 750 are left, and 150 are dropped, fifty of each stream; the notes are added.
    assert_eq!(store.trim(&streams, 800 * each, "note").await.unwrap(), 150);
    let page = store.read(&streams, &Query { limit: 5, ..Query::default() }).await.unwrap();
    assert_eq!(texts(&page), ["note", "note", "note", "a050", "b050"]);
    let of = store.summaries(&streams).await.unwrap();
    for stream in &streams {
        assert_eq!((of[stream].kept, of[stream].bytes, of[stream].count), (251, 251 * 4, 300), "{stream}");
    }
    // The notes are the oldest now, and are dropped with the next ones.
    assert_eq!(store.trim(&streams, 700 * each, "note").await.unwrap(), 753 - 656);
    let page = store.read(&streams, &Query { limit: 9, ..Query::default() }).await.unwrap();
    assert_eq!(page.messages.iter().filter(|m| m.text == "note").count(), 3);
    assert_eq!(store.append("a", messages(&[(9999, "more")]), Timestamp(9999)).await.unwrap(), 301);
    assert_eq!(store.summaries(&["other".to_owned()]).await.unwrap()["other"].kept, 1);
}

#[tokio::test]
async fn in_memory() {
    contract(&Fake::default()).await;
    trims(&Fake::default()).await;
}

#[tokio::test]
async fn in_a_reopened_file() {
    let dir = tempfile::tempdir().unwrap();
    contract(&FileStore::open(dir.path()).unwrap()).await;
    let trimmed = tempfile::tempdir().unwrap();
    trims(&FileStore::open(trimmed.path()).unwrap()).await;
    let again = FileStore::open(dir.path()).unwrap();
    let page = again.read(&["b".to_owned()], &Query { limit: 9, ..Query::default() }).await.unwrap();
    assert_eq!(texts(&page), ["two", "drei"]);
}

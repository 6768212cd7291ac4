//! Listings of the real store against the fake's naive ones, over random keys, prefixes, delimiters and pages.

use crate::{limits, open};
use escale_base::{Clock, Timestamp};
use escale_objects::*;
use proptest::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

fn key() -> impl Strategy<Value = String> {
    "[ab/é\u{10ffff}]{1,4}"
}

#[derive(Clone, Debug)]
enum Change {
    Put(String),
    Delete(String),
    Versioning(bool),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => key().prop_map(Change::Put),
        2 => key().prop_map(Change::Delete),
        1 => any::<bool>().prop_map(Change::Versioning),
    ]
}

fn query() -> impl Strategy<Value = (String, Option<String>, Option<String>, usize)> {
    let prefix = prop_oneof![Just(String::new()), "[ab/é]{0,2}"];
    let delimiter = prop_oneof![Just(None), Just(Some("/".to_owned())), Just(Some("b/".to_owned()))];
    (prefix, delimiter, proptest::option::of("[ab/é]{0,3}"), 0usize..5)
}

async fn apply(o: &dyn Objects, bucket: &str, changes: &[Change]) {
    o.create_bucket(bucket).await.unwrap();
    for (i, change) in changes.iter().enumerate() {
        match change {
            Change::Put(key) => {
                o.put(bucket, key, Put::default(), body(i.to_string())).await.unwrap();
            }
            Change::Delete(key) => {
                o.delete(bucket, key, Delete::default()).await.unwrap();
            }
            Change::Versioning(on) => {
                let versioning = if *on { Versioning::Enabled } else { Versioning::Suspended };
                o.set_versioning(bucket, versioning).await.unwrap();
            }
        }
    }
}

/// All pages of a list of versions, without the ids, which differ.
async fn versions(o: &dyn Objects, bucket: &str, mut spec: ListVersions) -> Vec<String> {
    let mut pages = Vec::new();
    loop {
        let page = o.list_versions(bucket, &spec).await.unwrap();
        let entries = page.entries.iter().map(|e| (&e.key, &e.etag, e.is_latest, e.is_delete_marker));
        let next = page.next.as_ref().map(|(key, version)| (key, version.is_some()));
        pages.push(format!("{:?} {:?} {next:?}", entries.collect::<Vec<_>>(), page.common_prefixes));
        if page.next.is_none() {
            return pages;
        }
        spec.after = page.next;
    }
}

#[test]
fn listings_equal_those_of_the_naive_model() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let real = runtime.block_on(async { open(dir.path()) });
    let count = AtomicUsize::new(0);
    let cases = (proptest::collection::vec(change(), 0..40), proptest::collection::vec(query(), 1..12));
    proptest!(ProptestConfig::with_cases(150), |((changes, queries) in cases)| {
        let bucket = format!("b{}", count.fetch_add(1, Ordering::Relaxed));
        let fake = Fake::new(Clock::by_hand(Timestamp(1_000)), limits());
        runtime.block_on(async {
            apply(&real, &bucket, &changes).await;
            apply(&fake, &bucket, &changes).await;
            for (prefix, delimiter, after, limit) in queries {
                let mut spec = List { prefix, delimiter, after, limit };
                let versions_spec = ListVersions {
                    prefix: spec.prefix.clone(),
                    delimiter: spec.delimiter.clone(),
                    after: spec.after.clone().map(|key| (key, None)),
                    limit,
                };
                loop {
                    let (a, b) = (real.list(&bucket, &spec).await.unwrap(), fake.list(&bucket, &spec).await.unwrap());
                    let plain = |l: &Listing| l.objects.iter().map(|e| (e.key.clone(), e.etag.clone())).collect::<Vec<_>>();
                    assert_eq!(plain(&a), plain(&b), "{spec:?}");
                    assert_eq!((&a.common_prefixes, &a.next), (&b.common_prefixes, &b.next), "{spec:?}");
                    if a.next.is_none() {
                        break;
                    }
                    spec.after = a.next;
                }
                let (a, b) = (versions(&real, &bucket, versions_spec.clone()).await, versions(&fake, &bucket, versions_spec).await);
                assert_eq!(a, b);
            }
        });
    });
}

/// With a delimiter the cost depends on the listed entries, not on the keys below a common prefix.
#[tokio::test(flavor = "multi_thread")]
async fn listing_does_not_read_skipped_keys() {
    let dir = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(open(dir.path()));
    store.create_bucket("b").await.unwrap();
    let puts: Vec<_> = (0..64)
        .map(|worker| {
            let store = store.clone();
            tokio::spawn(async move {
                for i in 0..300 {
                    let key = format!("{}/{worker}-{i}", i % 3);
                    store.put("b", &key, Put::default(), body("x")).await.unwrap();
                }
            })
        })
        .collect();
    for task in puts {
        task.await.unwrap();
    }
    let timed = async |delimiter: Option<String>| {
        let start = std::time::Instant::now();
        let mut counts = (0, 0);
        let mut spec = List { delimiter, ..List::default() };
        loop {
            let page = store.list("b", &spec).await.unwrap();
            counts = (counts.0 + page.objects.len(), counts.1 + page.common_prefixes.len());
            spec.after = page.next;
            if spec.after.is_none() {
                return (counts, start.elapsed());
            }
        }
    };
    let (all, whole) = timed(None).await;
    let (rolled, skipping) = timed(Some("/".into())).await;
    assert_eq!((all, rolled), ((19_200, 0), (0, 3)));
    println!("19,200 keys in pages: {whole:?}; 3 common prefixes over them: {skipping:?}");
    assert!(skipping * 5 < whole, "{skipping:?} for 3 prefixes, {whole:?} for all keys");
}

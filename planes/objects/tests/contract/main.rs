//! The contract of every implementation of [`Objects`], run on the real store and on the fake.

#![allow(clippy::unwrap_used)] // a test's own helpers, outside of #[test]

mod bench;
mod crash;
mod listing;
mod store;

use escale_base::{Clock, Timestamp};
use escale_objects::*;
use std::{future::Future, sync::Arc};

pub(crate) fn limits() -> Limits {
    Limits { put_bytes: 4 << 20, part_min_bytes: 1000, inline_bytes: 1 << 10, ..Limits::default() }
}

pub(crate) fn open(root: &std::path::Path) -> Store {
    Store::open(settings(root)).unwrap()
}

pub(crate) fn settings(root: &std::path::Path) -> Settings {
    Settings {
        root: root.to_owned(),
        clock: Clock::by_hand(Timestamp(1_000)),
        durability: Durability::Process,
        limits: limits(),
    }
}

/// Bytes that depend on `seed`.
pub(crate) fn bytes(size: usize, seed: u64) -> Vec<u8> {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x as u8
    };
    std::iter::repeat_with(next).take(size).collect()
}

async fn on_both<F: Future<Output = ()>>(contract: impl Fn(Arc<dyn Objects>) -> F) {
    contract(Arc::new(Fake::new(Clock::by_hand(Timestamp(1_000)), limits()))).await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.create_bucket("b").await.unwrap();
    store.delete_bucket("b").await.unwrap();
    contract(Arc::new(store)).await;
}

async fn put(o: &dyn Objects, bucket: &str, key: &str, content: &[u8]) -> Object {
    o.put(bucket, key, Put::default(), body(content.to_vec())).await.unwrap()
}

async fn content(o: &dyn Objects, bucket: &str, key: &str, read: Read) -> Vec<u8> {
    read_all(o.get(bucket, key, read).await.unwrap().body).await.unwrap()
}

#[tokio::test]
async fn buckets() {
    on_both(|o| async move {
        o.create_bucket("b").await.unwrap();
        o.create_bucket("a").await.unwrap();
        assert!(matches!(o.create_bucket("a").await, Err(Error::BucketExists(_))));
        assert!(matches!(o.create_bucket("").await, Err(Error::BadBucketName(0))));
        let names: Vec<String> = o.list_buckets().await.unwrap().into_iter().map(|b| b.name).collect();
        assert_eq!(names, ["a", "b"]);
        put(&*o, "a", "k", b"x").await;
        assert!(matches!(o.delete_bucket("a").await, Err(Error::BucketNotEmpty(_))));
        o.delete("a", "k", Delete::default()).await.unwrap();
        let at = UploadAt {
            bucket: "a".into(),
            key: "k".into(),
            id: o.create_upload("a", "k", NewUpload::default()).await.unwrap(),
        };
        o.upload_part(&at, 1, PutPart::default(), body(bytes(2000, 1))).await.unwrap();
        o.delete_bucket("a").await.unwrap();
        assert!(matches!(o.bucket("a").await, Err(Error::NoSuchBucket(_))));
        let gone = o.put("a", "k", Put::default(), body("x")).await;
        assert!(matches!(gone, Err(Error::NoSuchBucket(_))));
        assert!(matches!(o.list("a", &List::default()).await, Err(Error::NoSuchBucket(_))));
    })
    .await;
}

#[tokio::test]
async fn round_trip_of_all_sizes() {
    on_both(|o| async move {
        o.create_bucket("b").await.unwrap();
        for size in [0, 1, 1024, 1025, 262_143, 262_144, 262_145, 1_000_000] {
            let sent = bytes(size, size as u64);
            let chunks: Vec<_> = sent.chunks(70_001).map(|c| Ok(bytes::Bytes::copy_from_slice(c))).collect();
            let spec = Put {
                meta: Meta {
                    headers: [("content-type".to_owned(), "text/x".to_owned())].into(),
                    user: [("a".to_owned(), "ü".to_owned())].into(),
                },
                tags: [("t".to_owned(), "1".to_owned())].into(),
                size_bytes: Some(size as u64),
                compute: vec![Algorithm::Crc32c],
                ..Put::default()
            };
            let meta = spec.meta.clone();
            let key = format!("k{size}");
            let made = o.put("b", &key, spec, Box::pin(futures_util::stream::iter(chunks))).await.unwrap();
            let got = o.get("b", &key, Read::default()).await.unwrap();
            assert_eq!(got.object, made);
            assert_eq!(got.range, 0..size as u64);
            assert_eq!((&got.object.meta, got.object.entry.size_bytes), (&meta, size as u64));
            assert_eq!(got.object.tags["t"], "1");
            assert!(got.object.entry.checksums.contains_key(&Algorithm::Crc32c));
            assert!(read_all(got.body).await.unwrap() == sent, "{size}");
            assert_eq!(o.head("b", &key, None).await.unwrap(), made);
        }
        assert_eq!(o.head("b", "k0", None).await.unwrap().entry.etag, "d41d8cd98f00b204e9800998ecf8427e");
        assert!(matches!(o.head("b", "no", None).await, Err(Error::NoSuchKey { marker: None, .. })));
        let tags: Labels = [("z".to_owned(), "2".to_owned())].into();
        assert_eq!(o.set_tags("b", "k0", None, tags.clone()).await.unwrap(), VersionId::null());
        assert_eq!(o.head("b", "k0", None).await.unwrap().tags, tags);
    })
    .await;
}

#[tokio::test]
async fn ranges() {
    on_both(|o| async move {
        o.create_bucket("b").await.unwrap();
        for size in [10usize, 600_000] {
            let sent = bytes(size, 7);
            put(&*o, "b", "k", &sent).await;
            let end = size as u64;
            for (range, expected) in [
                (ByteRange::From(3), 3..end),
                (ByteRange::Between(2, 5), 2..6),
                (ByteRange::Between(2, end + 9), 2..end),
                (ByteRange::Last(4), end - 4..end),
            ] {
                let read = Read { range: Some(range), ..Read::default() };
                let got = o.get("b", "k", read).await.unwrap();
                assert_eq!(got.range, expected);
                let slice = &sent[expected.start as usize..expected.end as usize];
                assert!(read_all(got.body).await.unwrap() == slice, "{range:?}");
            }
            let read = Read { range: Some(ByteRange::From(end)), ..Read::default() };
            let outside = o.get("b", "k", read).await.err();
            assert!(matches!(outside, Some(Error::RangeNotSatisfiable { size_bytes }) if size_bytes == end));
        }
        let both = Read { range: Some(ByteRange::From(0)), part: Some(1), ..Read::default() };
        assert!(matches!(o.get("b", "k", both).await.err(), Some(Error::RangeAndPart)));
        assert_eq!(
            content(&*o, "b", "k", Read { part: Some(1), ..Read::default() }).await,
            bytes(600_000, 7)
        );
        let part = Read { part: Some(2), ..Read::default() };
        assert!(matches!(o.get("b", "k", part).await.err(), Some(Error::NoSuchPart { have: 1, .. })));
    })
    .await;
}

#[tokio::test]
async fn refuses_bodies_that_differ_from_the_announcement() {
    on_both(|o| async move {
        o.create_bucket("b").await.unwrap();
        put(&*o, "b", "k", b"old").await;
        let try_put = async |spec: Put, b: Body| o.put("b", "k", spec, b).await.err();
        for size in [9usize, 500_000] {
            let sent = bytes(size, 3);
            let wrong = Put { expect: vec![(Algorithm::Sha256, vec![0; 32])], ..Put::default() };
            let e = try_put(wrong, body(sent.clone())).await;
            assert!(matches!(e, Some(Error::ChecksumMismatch { algorithm: Algorithm::Sha256, .. })));
            let trailer =
                |algorithm| -> Option<Trailer> { Some(Box::new(move || Ok(vec![(algorithm, vec![0; 4])]))) };
            let spec =
                Put { compute: vec![Algorithm::Crc32], trailer: trailer(Algorithm::Crc32), ..Put::default() };
            let e = try_put(spec, body(sent.clone())).await;
            assert!(matches!(e, Some(Error::ChecksumMismatch { algorithm: Algorithm::Crc32, .. })));
            let spec = Put { trailer: trailer(Algorithm::Crc32), ..Put::default() };
            assert!(matches!(try_put(spec, body(sent.clone())).await, Some(Error::NotComputed(_))));
            for other in [size - 1, size + 1] {
                let spec = Put { size_bytes: Some(other as u64), ..Put::default() };
                let e = try_put(spec, body(sent.clone())).await;
                assert!(matches!(e, Some(Error::SizeMismatch { .. })), "{e:?}");
            }
            let broken = vec![Ok(sent.into()), Err("the connection was lost".into())];
            let e = try_put(Put::default(), Box::pin(futures_util::stream::iter(broken))).await;
            assert!(matches!(e, Some(Error::Body(_))));
        }
        let e = try_put(Put::default(), body(vec![0; (4 << 20) + 1])).await;
        assert!(matches!(e, Some(Error::TooLarge { limit_bytes: 4_194_304, .. })));
        assert_eq!(content(&*o, "b", "k", Read::default()).await, b"old");
        for key in [String::new(), "é".repeat(513)] {
            let e = o.put("b", &key, Put::default(), body("x")).await;
            assert!(matches!(e, Err(Error::BadKey(_))));
        }
        put(&*o, "b", &"é".repeat(512), b"longest").await;
    })
    .await;
}

#[tokio::test]
async fn conditions() {
    on_both(|o| async move {
        o.create_bucket("b").await.unwrap();
        let cond = |condition| Put { condition, ..Put::default() };
        let etag = Condition::Etag("x".into());
        let e = o.put("b", "k", cond(etag.clone()), body("1")).await;
        assert!(matches!(e, Err(Error::NoSuchKey { .. })));
        let first = o.put("b", "k", cond(Condition::Absent), body("1")).await.unwrap();
        let e = o.put("b", "k", cond(Condition::Absent), body("2")).await;
        assert!(matches!(e, Err(Error::PreconditionFailed { .. })));
        assert!(matches!(
            o.put("b", "k", cond(etag), body("2")).await,
            Err(Error::PreconditionFailed { .. })
        ));
        o.put("b", "k", cond(Condition::Etag(first.entry.etag.clone())), body("2")).await.unwrap();
        let spec = Delete { condition: Condition::Etag(first.entry.etag), ..Delete::default() };
        assert!(matches!(o.delete("b", "k", spec).await, Err(Error::PreconditionFailed { .. })));
        assert_eq!(content(&*o, "b", "k", Read::default()).await, b"2");
        let any = || Delete { condition: Condition::Present, ..Delete::default() };
        o.delete("b", "k", any()).await.unwrap();
        assert!(matches!(o.delete("b", "k", any()).await, Err(Error::NoSuchKey { .. })));
        // Exactly one of many concurrent puts wins.
        let racers = (0..20).map(|i| {
            let o = o.clone();
            tokio::spawn(async move {
                let spec = Put { condition: Condition::Absent, ..Put::default() };
                o.put("b", "race", spec, body(vec![i; 2000])).await.is_ok()
            })
        });
        let mut won = 0;
        for racer in racers.collect::<Vec<_>>() {
            won += u32::from(racer.await.unwrap());
        }
        assert_eq!(won, 1);
    })
    .await;
}

async fn listed_versions(o: &dyn Objects, key: &str) -> Vec<(String, bool, bool)> {
    let spec = ListVersions { prefix: key.into(), ..ListVersions::default() };
    let listed = o.list_versions("b", &spec).await.unwrap();
    listed.entries.into_iter().map(|e| (e.etag, e.is_latest, e.is_delete_marker)).collect()
}

#[tokio::test]
async fn versions() {
    on_both(|o| async move {
        o.create_bucket("b").await.unwrap();
        let zero = put(&*o, "b", "k", b"zero").await.entry;
        assert!(zero.version.is_null());
        o.set_versioning("b", Versioning::Enabled).await.unwrap();
        let stays = o.set_versioning("b", Versioning::Off).await;
        assert!(matches!(stays, Err(Error::VersioningStays(_))));
        let one = put(&*o, "b", "k", &[1; 2000]).await.entry;
        let two = put(&*o, "b", "k", b"two").await.entry;
        let of = |e: &Entry| Read { version: Some(e.version.clone()), ..Read::default() };
        assert_eq!(content(&*o, "b", "k", Read::default()).await, b"two");
        assert_eq!(content(&*o, "b", "k", of(&one)).await, [1; 2000]);
        assert_eq!(content(&*o, "b", "k", of(&zero)).await, b"zero");
        assert!(!o.head("b", "k", Some(&one.version)).await.unwrap().entry.is_latest);
        assert!(o.head("b", "k", Some(&two.version)).await.unwrap().entry.is_latest);

        let marker = o.delete("b", "k", Delete::default()).await.unwrap();
        assert!(marker.is_delete_marker);
        let id = marker.version.clone().unwrap();
        let e = o.head("b", "k", None).await;
        assert!(matches!(e, Err(Error::NoSuchKey { marker: Some(m), .. }) if m == id));
        assert!(matches!(o.head("b", "k", Some(&id)).await, Err(Error::IsDeleteMarker { .. })));
        assert!(o.list("b", &List::default()).await.unwrap().objects.is_empty());
        assert_eq!(
            listed_versions(&*o, "k").await,
            [
                (String::new(), true, true),
                (two.etag.clone(), false, false),
                (one.etag.clone(), false, false),
                (zero.etag.clone(), false, false)
            ]
        );
        assert!(matches!(o.delete_bucket("b").await, Err(Error::BucketNotEmpty(_))));
        let spec = |v: &VersionId| Delete { version: Some(v.clone()), ..Delete::default() };
        let undone = o.delete("b", "k", spec(&id)).await.unwrap();
        assert_eq!(undone, Deleted { version: Some(id.clone()), is_delete_marker: true });
        assert_eq!(content(&*o, "b", "k", Read::default()).await, b"two");

        o.set_versioning("b", Versioning::Suspended).await.unwrap();
        let null = put(&*o, "b", "k", b"null again").await.entry;
        assert!(null.version.is_null());
        let all = [&null, &two, &one].map(|e| e.etag.clone());
        assert_eq!(listed_versions(&*o, "k").await.into_iter().map(|t| t.0).collect::<Vec<_>>(), all);
        let marker = o.delete("b", "k", Delete::default()).await.unwrap();
        assert_eq!(marker, Deleted { version: Some(VersionId::null()), is_delete_marker: true });
        assert_eq!(listed_versions(&*o, "k").await.len(), 3);
        for version in [&VersionId::null(), &one.version, &two.version, &two.version] {
            o.delete("b", "k", spec(version)).await.unwrap();
        }
        assert!(matches!(o.head("b", "k", Some(&one.version)).await, Err(Error::NoSuchVersion { .. })));
        assert!(listed_versions(&*o, "k").await.is_empty());
        o.delete_bucket("b").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn copies() {
    on_both(|o| async move {
        for bucket in ["a", "b"] {
            o.create_bucket(bucket).await.unwrap();
        }
        let sent = bytes(300_000, 5);
        let source = put(&*o, "a", "from", &sent).await;
        let copy = |to: &str, compute: Vec<Algorithm>| Copy {
            from_bucket: "a".into(),
            from_key: "from".into(),
            to_bucket: "b".into(),
            to_key: to.into(),
            compute,
            ..Copy::default()
        };
        let same = o.copy(copy("same", vec![])).await.unwrap();
        let summed = o.copy(copy("summed", vec![Algorithm::Crc64nvme])).await.unwrap();
        assert_eq!((&same.entry.etag, &summed.entry.etag), (&source.entry.etag, &source.entry.etag));
        assert!(summed.entry.checksums.contains_key(&Algorithm::Crc64nvme));
        let meta = Meta { headers: [("content-type".to_owned(), "x".to_owned())].into(), ..Meta::default() };
        let onto_itself = Copy {
            to_bucket: "a".into(),
            to_key: "from".into(),
            meta: Some(meta.clone()),
            ..copy("", vec![])
        };
        assert_eq!(o.copy(onto_itself).await.unwrap().meta, meta);
        assert!(content(&*o, "a", "from", Read::default()).await == sent);
        o.delete("a", "from", Delete::default()).await.unwrap();
        for key in ["same", "summed"] {
            assert!(content(&*o, "b", key, Read::default()).await == sent);
        }
        assert!(matches!(o.copy(copy("x", vec![])).await, Err(Error::NoSuchKey { .. })));
    })
    .await;
}

#[tokio::test]
async fn uploads_in_parts() {
    on_both(|o| async move {
        o.create_bucket("b").await.unwrap();
        let checksum = Some((Algorithm::Crc64nvme, ChecksumKind::FullObject));
        let spec =
            NewUpload { checksum, tags: [("t".to_owned(), "1".to_owned())].into(), ..NewUpload::default() };
        let at = UploadAt {
            bucket: "b".into(),
            key: "big".into(),
            id: o.create_upload("b", "big", spec).await.unwrap(),
        };
        let pieces = [bytes(300_000, 1), bytes(1000, 2), bytes(10, 3)];
        let mut named = Vec::new();
        for (number, piece) in [(2u32, &pieces[0]), (5, &pieces[1]), (9, &pieces[2]), (7, &pieces[2])] {
            // A second upload of a part number replaces the first.
            o.upload_part(&at, number, PutPart::default(), body("to be replaced")).await.unwrap();
            let part = o.upload_part(&at, number, PutPart::default(), body(piece.clone())).await.unwrap();
            named.push(CompletePart { number, etag: part.etag, expect: vec![] });
        }
        let unused = named.pop().unwrap();
        let listed = o.list_parts(&at, 2, 2).await.unwrap();
        assert_eq!(listed.parts.iter().map(|p| p.number).collect::<Vec<_>>(), [5, 7]);
        assert_eq!((listed.next, listed.upload.checksum), (Some(7), checksum));
        assert_eq!(o.list_parts(&at, 7, 2).await.unwrap().next, None);

        let complete = |parts: Vec<CompletePart>| Complete { parts, ..Complete::default() };
        let fails = async |spec| o.complete_upload(&at, spec).await.unwrap_err();
        assert!(matches!(fails(complete(vec![])).await, Error::NoParts));
        let wrong = CompletePart { etag: "0".repeat(32), ..named[0].clone() };
        assert!(matches!(fails(complete(vec![wrong])).await, Error::InvalidPart(2)));
        let twisted = vec![named[1].clone(), named[0].clone()];
        assert!(matches!(fails(complete(twisted)).await, Error::PartOrder(2, 5)));
        let small = vec![named[0].clone(), unused, named[2].clone()];
        assert!(matches!(
            fails(complete(small)).await,
            Error::PartTooSmall { number: 7, size_bytes: 10, .. }
        ));
        let spec = Complete { expect: Some((Algorithm::Crc64nvme, vec![0; 8])), ..complete(named.clone()) };
        assert!(matches!(fails(spec).await, Error::ChecksumMismatch { .. }));
        assert!(matches!(o.head("b", "big", None).await, Err(Error::NoSuchKey { .. })));

        let made = o.complete_upload(&at, complete(named.clone())).await.unwrap();
        let whole = pieces.concat();
        let plain = Put { compute: vec![Algorithm::Crc64nvme], ..Put::default() };
        let plain = o.put("b", "plain", plain, body(whole.clone())).await.unwrap();
        assert_eq!(made.entry.checksums, plain.entry.checksums);
        assert!(made.entry.etag.ends_with("-3") && made.parts == Some(3) && made.tags["t"] == "1");
        assert!(content(&*o, "b", "big", Read::default()).await == whole);
        let read = Read { range: Some(ByteRange::Between(299_990, 301_004)), ..Read::default() };
        assert!(content(&*o, "b", "big", read).await == whole[299_990..301_005]);
        let second = o.get("b", "big", Read { part: Some(2), ..Read::default() }).await.unwrap();
        assert_eq!(second.range, 300_000..301_000);
        assert!(read_all(second.body).await.unwrap() == pieces[1]);
        assert!(matches!(o.complete_upload(&at, complete(named)).await, Err(Error::NoSuchUpload { .. })));
        let late = o.upload_part(&at, 1, PutPart::default(), body("x")).await;
        assert!(matches!(late, Err(Error::NoSuchUpload { .. })));
        let copy = Copy {
            from_bucket: "b".into(),
            from_key: "big".into(),
            to_bucket: "b".into(),
            to_key: "copy".into(),
            ..Copy::default()
        };
        assert_eq!(o.copy(copy).await.unwrap().entry.etag, plain.entry.etag);
        o.delete("b", "big", Delete::default()).await.unwrap();
        assert!(content(&*o, "b", "copy", Read::default()).await == whole);
        let odd = NewUpload {
            checksum: Some((Algorithm::Sha256, ChecksumKind::FullObject)),
            ..NewUpload::default()
        };
        assert!(matches!(o.create_upload("b", "k", odd).await, Err(Error::ChecksumKind { .. })));
        let part_0 = o.upload_part(&at, 0, PutPart::default(), body("x")).await;
        assert!(matches!(part_0, Err(Error::BadPartNumber(0))));
    })
    .await;
}

#[tokio::test]
async fn lists_and_aborts_uploads() {
    on_both(|o| async move {
        o.create_bucket("b").await.unwrap();
        let mut ids = Vec::new();
        for key in ["a", "d/1", "d/2", "e", "e"] {
            ids.push(o.create_upload("b", key, NewUpload::default()).await.unwrap());
        }
        let mut spec = ListUploads { delimiter: Some("/".into()), limit: 1, ..ListUploads::default() };
        let mut listed = Vec::new();
        loop {
            let page = o.list_uploads("b", &spec).await.unwrap();
            listed.extend(page.uploads.into_iter().map(|u| (u.key, Some(u.id))));
            listed.extend(page.common_prefixes.into_iter().map(|p| (p, None)));
            let Some(next) = page.next else { break };
            spec.after = Some(next);
        }
        let some = |key: &str, i: usize| (key.to_owned(), Some(ids[i].clone()));
        assert_eq!(listed, [some("a", 0), ("d/".into(), None), some("e", 3), some("e", 4)]);
        let at = UploadAt { bucket: "b".into(), key: "e".into(), id: ids[3].clone() };
        o.abort_upload(&at).await.unwrap();
        assert!(matches!(o.abort_upload(&at).await, Err(Error::NoSuchUpload { .. })));
        let left = o.list_uploads("b", &ListUploads { prefix: "e".into(), ..ListUploads::default() }).await;
        assert_eq!(left.unwrap().uploads.len(), 1);
    })
    .await;
}

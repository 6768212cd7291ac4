//! The archive of WAL, and recovery to a point in time.

use super::common::*;
use escale_base::Timestamp;
use escale_postgres::*;
use std::time::Duration;

fn archived(mut spec: DatabaseSpec) -> DatabaseSpec {
    spec.archive = Some(Archive { timeout_secs: 1 });
    spec
}

async fn latest(plane: &PostgresPlane, name: &str) -> Option<Timestamp> {
    plane.observe(name).await.unwrap().unwrap().archive.and_then(|a| a.latest)
}

async fn restorable_at(plane: &PostgresPlane, name: &str, at: Timestamp) {
    let reached = async {
        while latest(plane, name).await.is_none_or(|latest| latest < at) {
            tokio::task::yield_now().await;
        }
    };
    let came = tokio::time::timeout(Duration::from_secs(60), reached).await;
    assert!(came.is_ok(), "restorable until {:?}, not {at:?}", latest(plane, name).await);
}

/// The server's clock, which stamps the commits.
async fn now(client: &tokio_postgres::Client) -> Timestamp {
    let row = client.query_one("select (extract(epoch from clock_timestamp()) * 1000)::int8", &[]).await;
    Timestamp(row.unwrap().get(0))
}

/// A row for each time, until one is later than `end`. Returns what the last acknowledged one was.
async fn write_until(client: &tokio_postgres::Client, end: Timestamp) -> i64 {
    let insert = "insert into t select (extract(epoch from clock_timestamp()) * 1000)::int8 returning n";
    loop {
        let n: i64 = client.query_one(insert, &[]).await.unwrap().get(0);
        if n > end.0 {
            return n;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recovers_to_a_moment_before_and_after_a_failover() {
    let place = Place::new();
    let (plane, _events) = place.open();
    let spec = archived(pair("pitr", "src"));
    plane.ensure(&spec).await.unwrap();
    let first = client(&spec, "a-1", PASSWORD).await.unwrap();
    first.batch_execute("create table t (n bigint)").await.unwrap();
    let base = plane.snapshot(&spec.name, "base").await.unwrap();
    write_until(&first, base.taken.plus_ms(1500)).await;
    let before = now(&first).await;
    write_until(&first, before.plus_ms(500)).await;

    plane.failover(&spec.name, "a-1").await.unwrap();
    let second = client(&spec, "b-1", PASSWORD).await.unwrap();
    write_until(&second, now(&second).await.plus_ms(500)).await;
    let after = now(&second).await;
    plane.ensure(&spec).await.unwrap();
    let last = write_until(&second, after.plus_ms(500)).await;
    let total = count(&second).await;
    restorable_at(&plane, &spec.name, now(&second).await).await;

    // The moment after the last commit: the archive ends before it.
    let end = latest(&plane, &spec.name).await.unwrap();
    assert!(end.0 > last);
    for (name, until) in [("early", before), ("late", after), ("all", end)] {
        let mut copy = single("pitr", name);
        copy.restore_from = Some("base".into());
        copy.recover = Some(Recovery { database: spec.name.clone(), until });
        plane.ensure(&copy).await.unwrap();
        let restored = client(&copy, "a-1", PASSWORD).await.unwrap();
        let newest: i64 = restored.query_one("select max(n) from t", &[]).await.unwrap().get(0);
        let rows = count(&restored).await;
        let expected: i64 =
            second.query_one("select count(*) from t where n <= $1", &[&until.0]).await.unwrap().get(0);
        // A row's time is taken in its statement, a moment before its commit: at most the last one may be missing.
        assert!(newest <= until.0 && (expected - rows) <= 1, "{name}: {rows} of {expected} rows");
        assert!(name != "all" || rows == total, "{rows} of {total}");
        plane.delete(&copy.name, None).await.unwrap();
    }
    plane.wipe().await.unwrap();
    place.assert_no_process();
}

fn files(place: &Place, database: &str) -> Vec<String> {
    let dir = place.path().join("state/archives").join(database);
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.ends_with(".new"));
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn archive_is_bounded_and_a_gap_is_refused() {
    let place = Place::new();
    let (plane, _events) = place.open();
    let mut spec = archived(single("bound", "src"));
    // It commits when it likes.
    spec.parameters.insert("autovacuum".into(), "off".into());
    plane.ensure(&spec).await.unwrap();
    let c = client(&spec, "a-1", PASSWORD).await.unwrap();
    c.batch_execute("create table t (n bigint)").await.unwrap();
    plane.snapshot(&spec.name, "old").await.unwrap();
    c.batch_execute("insert into t select generate_series(1, 50000)").await.unwrap();
    plane.snapshot(&spec.name, "new").await.unwrap();
    c.batch_execute("insert into t values (1)").await.unwrap();
    let end = now(&c).await;
    restorable_at(&plane, &spec.name, end).await;

    // Without commits nothing more is archived, although the timeout of one second passes.
    let idle = files(&place, &spec.name);
    restorable_at(&plane, &spec.name, end.plus_ms(5000)).await;
    assert_eq!(files(&place, &spec.name), idle);

    // Only what the newer snapshot needs is left, and the older one cannot be recovered from any more.
    plane.trim(&spec.name, Some("new")).await.unwrap();
    assert!(files(&place, &spec.name).len() < idle.len());
    let mut copy = single("bound", "copy");
    copy.recover = Some(Recovery { database: spec.name.clone(), until: end });
    copy.restore_from = Some("old".into());
    let refused = plane.ensure(&copy).await.unwrap_err();
    assert!(refused.to_string().contains("lacks the WAL file"), "{refused}");
    copy.restore_from = Some("new".into());
    plane.ensure(&copy).await.unwrap();
    assert_eq!(count(&client(&copy, "a-1", PASSWORD).await.unwrap()).await, 50_001);

    // A damaged file is no end of the WAL.
    let archive = place.path().join("state/archives").join(&spec.name);
    let names = files(&place, &spec.name);
    let segments: Vec<&String> = names.iter().filter(|n| n.len() == 24).collect();
    let last = archive.join(segments.last().unwrap());
    let whole = std::fs::read(&last).unwrap();
    std::fs::write(&last, vec![7; whole.len()]).unwrap();
    let mut hurt = single("bound", "hurt");
    (hurt.restore_from, hurt.recover) = (copy.restore_from.clone(), copy.recover.clone());
    let refused = plane.ensure(&hurt).await.unwrap_err();
    assert!(refused.to_string().contains("is damaged"), "{refused}");
    std::fs::write(&last, &whole).unwrap();
    plane.ensure(&hurt).await.unwrap();

    // A copy does not need the snapshot that it was made of.
    plane.copy_snapshot("new", "kept").await.unwrap();
    plane.copy_snapshot("new", "kept").await.unwrap();
    plane.delete_snapshot("new").await.unwrap();
    let mut again = single("bound", "again");
    again.restore_from = Some("kept".into());
    plane.ensure(&again).await.unwrap();
    assert_eq!(count(&client(&again, "a-1", PASSWORD).await.unwrap()).await, 50_000);

    spec.archive = None;
    plane.ensure(&spec).await.unwrap();
    assert!(!place.path().join("state/archives").join(&spec.name).exists());
    plane.wipe().await.unwrap();
    place.assert_no_process();
}

#[tokio::test(flavor = "multi_thread")]
async fn failing_archive_is_reported_until_it_works() {
    let place = Place::new();
    let (plane, mut events) = place.open();
    let spec = archived(single("full", "src"));
    plane.ensure(&spec).await.unwrap();
    let c = client(&spec, "a-1", PASSWORD).await.unwrap();
    // As a full disk: no file can be made there.
    let dir = place.path().join("state/archives").join(&spec.name);
    let aside = dir.with_extension("aside");
    std::fs::rename(&dir, &aside).unwrap();
    // More than a segment, so that one is to be archived at once.
    c.batch_execute("create table t as select generate_series(1, 400000) n").await.unwrap();
    let mut next = async |works: bool| {
        let found = async {
            loop {
                match events.recv().await.unwrap() {
                    Event::ArchiveFails { .. } if !works => return,
                    Event::ArchiveWorks { .. } if works => return,
                    _ => {}
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(90), found).await.unwrap();
    };
    next(false).await;
    let seen = plane.observe(&spec.name).await.unwrap().unwrap().archive.unwrap();
    assert!(seen.failing_since.is_some() && seen.waiting_bytes > 0);
    std::fs::rename(&aside, &dir).unwrap();
    next(true).await;
    plane.wipe().await.unwrap();
}

/// The file that gives it up is made by hand here: the test cannot fill the machine's disk.
#[tokio::test(flavor = "multi_thread")]
async fn archive_that_was_given_up_drops_wal_until_the_next_snapshot() {
    let place = Place::new();
    let (plane, _events) = place.open();
    let spec = archived(single("gave", "src"));
    plane.ensure(&spec).await.unwrap();
    plane.snapshot(&spec.name, "first").await.unwrap();
    let c = client(&spec, "a-1", PASSWORD).await.unwrap();
    let dir = place.path().join("state/archives").join(&spec.name);
    let flag = dir.with_extension("given-up");
    std::fs::write(&flag, b"").unwrap();
    let at_flag = now(&c).await;
    // More than a segment, so that one is finished at once.
    c.batch_execute("create table filler as select generate_series(1, 400000) n; create table t (n bigint)")
        .await
        .unwrap();
    let dropped = async {
        loop {
            let row = c.query_one("select last_archived_wal from pg_stat_archiver", &[]).await.unwrap();
            if row.get::<_, Option<String>>(0).is_some_and(|file| !dir.join(file).exists()) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), dropped).await.unwrap();
    // The plane looks at the archive now and then.
    let seen = async {
        loop {
            if let Some(seen) = plane.observe(&spec.name).await.unwrap().unwrap().archive {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let seen = tokio::time::timeout(Duration::from_secs(30), seen).await.unwrap();
    assert!(seen.latest.is_none_or(|latest| latest < at_flag), "{seen:?}");
    plane.snapshot(&spec.name, "second").await.unwrap();
    assert!(!flag.exists());
    let end = now(&c).await.plus_ms(1);
    let written = write_until(&c, end).await;
    restorable_at(&plane, &spec.name, Timestamp(written)).await;
    plane.wipe().await.unwrap();
}

/// The recovery is cut off at several moments, as by the death of the daemon: its server goes on meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn interrupted_recovery_begins_again() {
    let place = Place::new();
    let (plane, events) = place.open();
    let spec = archived(single("cut", "src"));
    plane.ensure(&spec).await.unwrap();
    let c = client(&spec, "a-1", PASSWORD).await.unwrap();
    c.batch_execute("create table t (n bigint)").await.unwrap();
    plane.snapshot(&spec.name, "base").await.unwrap();
    c.batch_execute("insert into t select generate_series(1, 200000)").await.unwrap();
    let until = now(&c).await;
    restorable_at(&plane, &spec.name, until).await;
    drop((plane, events));
    let mut copy = single("cut", "copy");
    copy.restore_from = Some("base".into());
    copy.recover = Some(Recovery { database: spec.name.clone(), until });
    for after_ms in [5, 50, 150, 300, 450] {
        let (plane, _events) = place.open();
        let _ = tokio::time::timeout(Duration::from_millis(after_ms), plane.ensure(&copy)).await;
    }
    let (plane, _events) = place.open();
    plane.ensure(&copy).await.unwrap();
    assert_eq!(count(&client(&copy, "a-1", PASSWORD).await.unwrap()).await, 200_000);
    plane.delete(&copy.name, None).await.unwrap();
    let left = std::fs::read_dir(place.path().join("state/archives")).unwrap().count();
    assert_eq!(left, 1, "only the source has an archive");
    plane.wipe().await.unwrap();
    place.no_process_soon().await;
}

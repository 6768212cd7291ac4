//! Read-only copies: they follow their source over its failovers, hold up none of its commits, and become independent.

use crate::{
    common::*,
    real::{ensure_again, seen},
};
use escale_base::error::Fault;
use escale_postgres::*;
use std::time::Duration;
use tokio_postgres::Client;

/// A pair and a copy of it.
fn with_copy(tag: &str) -> (DatabaseSpec, DatabaseSpec) {
    let mut source = pair(tag, "source");
    let mut copy = single(tag, "copy");
    copy.nodes[0].name = "r-1".into();
    copy.nodes[0].address = "127.0.0.4".parse().unwrap();
    copy.source = Some(source.name.clone());
    source.replicas = vec![Replica { node: "r-1".into(), address: copy.nodes[0].address }];
    (source, copy)
}

/// What a fake and real servers have in common.
pub(crate) async fn contract(plane: &dyn Postgres, tag: &str) {
    let (mut source, mut copy) = with_copy(tag);
    let early = plane.ensure(&copy).await.unwrap_err();
    assert!(early.to_string().contains("source"), "{early}");
    plane.ensure(&source).await.unwrap();
    plane.ensure(&copy).await.unwrap();
    assert_eq!(plane.step(&copy).await.unwrap(), None, "nothing is left to do");
    assert!(plane.primary_matches(&copy).await.unwrap());
    let found = seen(plane, &copy).await;
    assert_eq!((found.node("r-1").unwrap().role, found.writable()), (NodeRole::Standby, None));
    let follows = found.source.unwrap();
    assert_eq!((follows.database.as_str(), follows.streams), (source.name.as_str(), true));
    assert!(plane.usage(&copy.name).await.unwrap().is_some());

    // It follows the new primary.
    plane.failover(&source.name, "a-1").await.unwrap();
    plane.ensure(&source).await.unwrap();
    assert!(!plane.primary_matches(&copy).await.unwrap(), "it points to the old primary");
    plane.ensure(&copy).await.unwrap();
    assert!(seen(plane, &copy).await.source.unwrap().streams);

    // Restarts leave it a copy.
    copy.running = false;
    plane.ensure(&copy).await.unwrap();
    copy.running = true;
    plane.ensure(&copy).await.unwrap();
    assert_eq!(seen(plane, &copy).await.node("r-1").unwrap().role, NodeRole::Standby);

    let mut promoted = copy.clone();
    promoted.source = None;
    plane.ensure(&promoted).await.unwrap();
    source.replicas.clear();
    plane.ensure(&source).await.unwrap();
    assert_eq!(plane.step(&source).await.unwrap(), None);
    let found = seen(plane, &copy).await;
    assert_eq!((found.writable().map(|n| n.name.as_str()), &found.source), (Some("r-1"), &None));
    let refused = plane.ensure(&copy).await.unwrap_err();
    assert_eq!(refused.fault, Fault::Asked, "{refused}");
    plane.delete(&source.name, None).await.unwrap();
    plane.delete(&copy.name, None).await.unwrap();
}

fn kill(pid: i32, signal: nix::sys::signal::Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
}

/// Waits until the copy has so many rows.
async fn has_rows(copy: &DatabaseSpec, rows: i64) {
    let wait = async {
        loop {
            let found = async {
                let client = client(copy, "r-1", PASSWORD).await.ok()?;
                let row = client.query_one("select count(*) from t", &[]).await.ok()?;
                Some(row.get::<_, i64>(0))
            };
            if found.await == Some(rows) {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("the rows reach the copy");
}

async fn slots(client: &Client) -> i64 {
    client.query_one("select count(*) from pg_replication_slots", &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_with_wal_that_the_new_primary_lacks_is_rebuilt() {
    use nix::sys::signal::Signal::{SIGKILL, SIGSTOP};
    let place = Place::new();
    let mut config = place.config();
    // Else the pair would give its standby up before the primary dies.
    config.standby_grace = Duration::from_secs(60);
    let (plane, _events) = PostgresPlane::open(config).unwrap();
    let (mut source, mut copy) = with_copy("ahead");
    ensure_again(&plane, &source).await;
    let admin = client(&source, "a-1", PASSWORD).await.unwrap();
    admin.batch_execute("create table t (n bigint primary key); insert into t values (1)").await.unwrap();
    ensure_again(&plane, &copy).await;
    has_rows(&copy, 1).await;
    let reader = client(&copy, "r-1", PASSWORD).await.unwrap();
    let refused = reader.execute("insert into t values (9)", &[]).await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "25006", "{refused}");

    // The primary sends nothing more to its standby, so it never acknowledges this row. The copy has it.
    let sender = "select pid from pg_stat_replication where application_name = 'b-1'";
    let sender: i32 = admin.query_one(sender, &[]).await.unwrap().get(0);
    kill(sender, SIGSTOP);
    let writer = tokio::spawn(async move { admin.execute("insert into t values (2)", &[]).await });
    has_rows(&copy, 2).await;
    kill(seen(&plane, &source).await.node("a-1").unwrap().pid.unwrap() as i32, SIGKILL);
    kill(sender, SIGKILL);
    assert!(writer.await.unwrap().is_err());
    let moved = async {
        while seen(&plane, &source).await.writable().is_none_or(|n| n.name != "b-1") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), moved).await.expect("the standby takes over");
    ensure_again(&plane, &source).await;
    ensure_again(&plane, &copy).await;
    has_rows(&copy, 1).await;
    let admin = client(&source, "b-1", PASSWORD).await.unwrap();
    admin.batch_execute("insert into t values (3)").await.unwrap();
    has_rows(&copy, 2).await;

    // A lost copy holds up no commit. It comes back with its data after kill -9.
    let pid = seen(&plane, &copy).await.node("r-1").unwrap().pid.unwrap();
    kill(pid as i32, SIGKILL);
    admin.batch_execute("insert into t values (4)").await.unwrap();
    ensure_again(&plane, &copy).await;
    has_rows(&copy, 3).await;

    // Promoted, it has its own data and archive, and the source keeps nothing for it.
    copy.source = None;
    copy.archive = Some(Archive { timeout_secs: 60 });
    ensure_again(&plane, &copy).await;
    source.replicas.clear();
    ensure_again(&plane, &source).await;
    assert_eq!(slots(&admin).await, 1, "only the standby's");
    let own = client(&copy, "r-1", PASSWORD).await.unwrap();
    own.batch_execute("insert into t values (5)").await.unwrap();
    assert_eq!((count(&own).await, count(&admin).await), (4, 3));
    plane.snapshot(&copy.name, "first").await.unwrap();
    plane.wipe().await.unwrap();
    place.no_process_soon().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copy_that_was_away_too_long_is_copied_again() {
    let place = Place::new();
    let (plane, _events) = place.open();
    let (mut source, copy) = with_copy("away");
    source.nodes.truncate(1);
    source.synchronous = false;
    source.parameters.insert("max_slot_wal_keep_size".into(), "2MB".into());
    source.parameters.insert("max_wal_size".into(), "4MB".into());
    source.parameters.insert("min_wal_size".into(), "2MB".into());
    ensure_again(&plane, &source).await;
    let admin = client(&source, "a-1", PASSWORD).await.unwrap();
    admin.batch_execute("create table t (n bigint primary key); insert into t values (1)").await.unwrap();
    ensure_again(&plane, &copy).await;
    has_rows(&copy, 1).await;
    let pid = seen(&plane, &copy).await.node("r-1").unwrap().pid.unwrap();
    kill(pid as i32, nix::sys::signal::Signal::SIGKILL);
    let lost = "select exists (select from pg_replication_slots where wal_status = 'lost')";
    let mut rows: i64 = 1;
    while !admin.query_one(lost, &[]).await.unwrap().get::<_, bool>(0) {
        let fill = "insert into t select n from generate_series($1::bigint, $2::bigint) n";
        admin.execute(fill, &[&(rows + 1), &(rows + 20_000)]).await.unwrap();
        rows += 20_000;
        // A checkpoint gives up the slot. The admin of a database cannot ask for one.
        plane.snapshot(&source.name, "checkpoint").await.unwrap();
        plane.delete_snapshot("checkpoint").await.unwrap();
    }
    ensure_again(&plane, &copy).await;
    has_rows(&copy, rows).await;
    plane.wipe().await.unwrap();
    place.no_process_soon().await;
}

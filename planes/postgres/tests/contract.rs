//! The contract on the fake and on real servers, and what only real servers have: rows.

// Clippy exempts only functions marked #[test]; the helpers here are part of the tests.
#![allow(clippy::unwrap_used)]

#[path = "suite/archive.rs"]
mod archive;
#[path = "suite/changes.rs"]
mod changes;
#[path = "suite/common.rs"]
mod common;
#[path = "suite/real.rs"]
mod real;
#[path = "suite/replica.rs"]
mod replica;
#[path = "suite/usage.rs"]
mod usage;

use common::*;
use escale_base::{Clock, error::Fault};
use escale_postgres::*;

/// The contract of every implementation.
async fn contract(plane: &dyn Postgres, tag: &str, clock: &Clock) {
    let spec = pair(tag, "one");
    assert_eq!(plane.observe(&spec.name).await.unwrap(), None);
    plane.ensure(&spec).await.unwrap();
    assert_eq!(plane.step(&spec).await.unwrap(), None, "nothing is left to do");
    assert_eq!(plane.list().await.unwrap(), [spec.name.as_str()]);

    let seen = plane.observe(&spec.name).await.unwrap().unwrap();
    assert_eq!((seen.primary.as_str(), seen.protection), ("a-1", Protection::Protected));
    assert_eq!(seen.node("a-1").unwrap().role, NodeRole::Primary);
    assert_eq!(seen.node("b-1").unwrap().role, NodeRole::Standby);
    assert_eq!(seen.node("b-1").unwrap().replication.unwrap().state, ReplicationState::Sync);
    assert_eq!(seen.node("a-1").unwrap().timeline, Some(1));

    assert!(
        plane.usage(&spec.name).await.unwrap().is_some_and(|u| Some(u.pid) == seen.node("a-1").unwrap().pid)
    );
    assert_eq!(plane.usage("none").await.unwrap(), None);

    // A failover, called twice: the second call finds it done. The next one is refused: no standby is in sync.
    plane.failover(&spec.name, "a-1").await.unwrap();
    plane.failover(&spec.name, "a-1").await.unwrap();
    let refused = plane.failover(&spec.name, "b-1").await.unwrap_err();
    assert_eq!(refused.fault, Fault::Asked, "{refused}");
    plane.ensure(&spec).await.unwrap();
    let seen = plane.observe(&spec.name).await.unwrap().unwrap();
    assert_eq!((seen.primary.as_str(), seen.epoch, seen.protection), ("b-1", 1, Protection::Protected));
    assert_eq!(seen.node("a-1").unwrap().role, NodeRole::Standby);
    assert_eq!(seen.node("b-1").unwrap().timeline, Some(2));

    // A parameter that needs a restart, and the restart.
    let mut spec = spec;
    spec.parameters.insert("max_connections".into(), "120".into());
    plane.ensure(&spec).await.unwrap();
    let seen = plane.observe(&spec.name).await.unwrap().unwrap();
    assert_eq!(seen.node("b-1").unwrap().pending_restart, ["max_connections"]);
    clock.advance_ms(1000);
    let asked_at = clock.now();
    plane.restart(&spec.name, asked_at).await.unwrap();
    plane.ensure(&spec).await.unwrap();
    let after = plane.observe(&spec.name).await.unwrap().unwrap();
    assert_eq!(after.node("b-1").unwrap().pending_restart, Vec::<String>::new());
    assert_ne!(after.node("b-1").unwrap().pid, seen.node("b-1").unwrap().pid);
    plane.restart(&spec.name, asked_at).await.unwrap();
    let again = plane.observe(&spec.name).await.unwrap().unwrap();
    assert_eq!(again.node("b-1").unwrap().pid, after.node("b-1").unwrap().pid, "restarted once");

    // Stopped and started.
    spec.running = false;
    plane.ensure(&spec).await.unwrap();
    let seen = plane.observe(&spec.name).await.unwrap().unwrap();
    assert!(seen.nodes.iter().all(|n| n.role == NodeRole::Down));
    assert_eq!(plane.usage(&spec.name).await.unwrap(), None);
    spec.running = true;
    plane.ensure(&spec).await.unwrap();

    // The port changes: both servers restart.
    let before = plane.observe(&spec.name).await.unwrap().unwrap();
    spec.port = free_port();
    plane.ensure(&spec).await.unwrap();
    let seen = plane.observe(&spec.name).await.unwrap().unwrap();
    assert_eq!((seen.protection, seen.writable().unwrap().name.as_str()), (Protection::Protected, "b-1"));
    for node in ["a-1", "b-1"] {
        assert_ne!(seen.node(node).unwrap().pid, before.node(node).unwrap().pid, "{node}");
    }

    // One node is removed.
    let mut single = spec.clone();
    single.nodes.remove(0);
    plane.ensure(&single).await.unwrap();
    let seen = plane.observe(&spec.name).await.unwrap().unwrap();
    assert_eq!((seen.nodes.len(), seen.protection), (1, Protection::Alone));

    // A final snapshot, and no other data is left.
    plane.delete(&spec.name, Some("last")).await.unwrap();
    plane.delete(&spec.name, Some("last")).await.unwrap();
    assert_eq!(plane.list().await.unwrap(), Vec::<String>::new());
    let kept = plane.snapshots().await.unwrap();
    assert_eq!((kept.len(), kept[0].database.as_str()), (1, spec.name.as_str()));
    plane.delete_snapshot("last").await.unwrap();
    plane.wipe().await.unwrap();
    assert!(plane.snapshots().await.unwrap().is_empty());
}

#[tokio::test]
async fn fake_keeps_the_contract() {
    let clock = Clock::by_hand(escale_base::Timestamp(1_000_000));
    let plane = FakePostgres::new(clock.clone());
    contract(&plane, "fake", &clock).await;
    replica::contract(&plane, "fake").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn real_keeps_the_contract() {
    let place = Place::new();
    let (plane, _events) = place.open();
    contract(&plane, "real", &Clock::machine()).await;
    replica::contract(&plane, "real").await;
    place.assert_no_process();
}

#[tokio::test]
async fn bad_specs_are_refused_by_name() {
    let plane = FakePostgres::new(Clock::machine());
    type Change = fn(&mut DatabaseSpec);
    let cases: [(&str, Change); 6] = [
        ("FSYNC", |s| drop(s.parameters.insert("FSYNC".into(), "off".into()))),
        ("include", |s| drop(s.parameters.insert("include".into(), "/etc/passwd".into()))),
        ("supervisor", |s| s.admin.name = "supervisor".into()),
        ("must be loopback", |s| s.nodes[0].address = "10.0.0.5".parse().unwrap()),
        ("share a name", |s| s.nodes[1].name = "a-1".into()),
        ("'../x'", |s| s.name = "../x".into()),
    ];
    for (named, change) in cases {
        let mut spec = pair("bad", "spec");
        change(&mut spec);
        let error = plane.ensure(&spec).await.unwrap_err();
        assert!(error.to_string().contains(named) && error.fault == Fault::Asked, "{error}");
    }
}

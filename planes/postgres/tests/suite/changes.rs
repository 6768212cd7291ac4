//! Changes of a running database on real servers, while a client writes.

use crate::{
    common::*,
    real::{ensure_again, seen, write_until},
};
use escale_postgres::*;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

async fn table(spec: &DatabaseSpec) -> tokio_postgres::Client {
    let client = client(spec, "a-1", PASSWORD).await.unwrap();
    client.batch_execute("create table t (n bigint primary key)").await.unwrap();
    client
}

async fn lost(client: &tokio_postgres::Client, acknowledged: &[i64]) -> Vec<i64> {
    let rows: Vec<i64> =
        client.query("select n from t", &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    acknowledged.iter().filter(|n| !rows.contains(n)).copied().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn standby_is_added_and_removed_under_writes_without_a_lost_row() {
    let place = Place::new();
    let (plane, _events) = place.open();
    let both = pair("scale", "rows");
    let mut alone = both.clone();
    (alone.synchronous, alone.nodes) = (false, vec![both.nodes[0].clone()]);
    plane.ensure(&alone).await.unwrap();
    let rows = table(&alone).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn(write_until(both.clone(), stop.clone()));
    for _ in 0..2 {
        let before = count(&rows).await;
        ensure_again(&plane, &both).await;
        let observed = seen(&plane, &both).await;
        assert_eq!((observed.protection, observed.primary.as_str()), (Protection::Protected, "a-1"));
        plane.ensure(&alone).await.unwrap();
        let observed = seen(&plane, &both).await;
        assert_eq!((observed.protection, observed.nodes.len()), (Protection::Alone, 1));
        while count(&rows).await < before + 50 {}
    }
    // The primary never restarts, so this standby has what was written before it existed, and what comes after.
    ensure_again(&plane, &both).await;
    plane.failover(&both.name, "a-1").await.unwrap();
    let rows = client(&both, "b-1", PASSWORD).await.unwrap();
    let before = count(&rows).await;
    while count(&rows).await < before + 50 {}
    stop.store(true, Ordering::SeqCst);
    let (acknowledged, _) = writer.await.unwrap();
    assert_eq!(lost(&rows, &acknowledged).await, Vec::<i64>::new());
    // The node that is the primary now stays, although it was added.
    alone.nodes = vec![both.nodes[1].clone()];
    plane.ensure(&alone).await.unwrap();
    assert_eq!(lost(&rows, &acknowledged).await, Vec::<i64>::new());
    plane.wipe().await.unwrap();
    place.assert_no_process();
}

#[tokio::test(flavor = "multi_thread")]
async fn port_changes_without_a_lost_row() {
    let place = Place::new();
    let (plane, _events) = place.open();
    let mut spec = pair("move", "port");
    plane.ensure(&spec).await.unwrap();
    let rows = table(&spec).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn(write_until(spec.clone(), stop.clone()));
    while count(&rows).await < 50 {}
    let old = spec.clone();
    spec.port = free_port();
    ensure_again(&plane, &spec).await;
    stop.store(true, Ordering::SeqCst);
    let (acknowledged, _) = writer.await.unwrap();
    assert!(client(&old, "a-1", PASSWORD).await.is_err(), "nothing listens on the old port");
    let rows = client(&spec, "a-1", PASSWORD).await.unwrap();
    assert_eq!(lost(&rows, &acknowledged).await, Vec::<i64>::new());
    assert_eq!(seen(&plane, &spec).await.protection, Protection::Protected);
    plane.failover(&spec.name, "a-1").await.unwrap();
    let rows = client(&spec, "b-1", PASSWORD).await.unwrap();
    assert_eq!(lost(&rows, &acknowledged).await, Vec::<i64>::new());
    plane.wipe().await.unwrap();
    place.assert_no_process();
}

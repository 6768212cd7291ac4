//! What a real server uses.

use crate::common::*;
use escale_postgres::*;

#[tokio::test(flavor = "multi_thread")]
async fn work_of_clients_is_measured() {
    let place = Place::new();
    let (plane, _events) = place.open();
    let spec = single("usage", "one");
    plane.ensure(&spec).await.unwrap();
    let usage = async || plane.usage(&spec.name).await.unwrap().unwrap();
    let before = usage().await;
    assert_eq!(before.connections, 0, "the plane's own are not clients");
    assert!(before.free_disk_bytes > 0 && before.free_memory_bytes > 0 && before.oldest_transaction_age > 0);
    let client = client(&spec, "a-1", PASSWORD).await.unwrap();
    let rows = "create table t as select n, repeat('x', 500) as text from generate_series(1, 100000) n";
    client.batch_execute(rows).await.unwrap();
    let with_client = usage().await;
    assert_eq!((with_client.connections, with_client.pid), (1, before.pid));
    assert!(with_client.wal_position - before.wal_position > 50_000_000, "{before:?} {with_client:?}");
    assert!(with_client.cpu > before.cpu, "{before:?} {with_client:?}");
    assert!(with_client.written_bytes - before.written_bytes > 50_000_000, "{before:?} {with_client:?}");
    drop(client);
    // What its backend used is counted on once the backend has ended.
    let mut after = usage().await;
    while after.connections > 0 {
        after = usage().await;
    }
    assert!(
        after.cpu >= with_client.cpu && after.written_bytes >= with_client.written_bytes,
        "{with_client:?} {after:?}"
    );
    plane.delete(&spec.name, None).await.unwrap();
    place.assert_no_process();
}

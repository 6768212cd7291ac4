use super::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Port {
    host: String,
    number: u16,
}

impl Row for Port {
    const TABLE: &'static str = "port";
    fn key(&self) -> String {
        format!("{}/{:05}", self.host, self.number)
    }
}

fn port(host: &str, number: u16) -> Port {
    Port { host: host.into(), number }
}

const TABLES: &[TableDef] = &[TableDef::of::<Port>()];

fn open(dir: &tempfile::TempDir) -> Store {
    Store::open(&dir.path().join("state.db"), TABLES).unwrap()
}

fn put(store: &Store, row: Port) {
    store
        .write::<_, StoreError>(|tx| {
            tx.put(row);
            Ok(())
        })
        .unwrap();
}

#[test]
fn committed_rows_survive_and_failed_work_leaves_no_rows() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    put(&store, port("a", 80));
    let before = store.read();
    let failed: Result<(), StoreError> = store.write(|tx| {
        tx.put(port("a", 81));
        tx.delete::<Port>("a/00080");
        assert!(tx.get::<Port>("a/00081").is_some(), "a transaction sees its own writes");
        Err(StoreError::UnknownTable { table: "x".into() })
    });
    assert!(failed.is_err());
    assert_eq!(store.read().version(), before.version());
    drop(store);
    let rows: Vec<_> = open(&dir).read().scan::<Port>().map(|r| (*r).clone()).collect();
    assert_eq!(rows, [port("a", 80)]);
}

#[test]
fn prefix_reads_one_group() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    for row in [port("a", 1), port("ab", 2), port("b", 3), port("a", 4)] {
        put(&store, row);
    }
    let found: Vec<u16> = store.read().prefix::<Port>("a/").map(|r| r.number).collect();
    assert_eq!(found, [1, 4]);
}

#[test]
fn nested_work_can_fail_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    store
        .write::<_, StoreError>(|tx| {
            tx.put(port("kept", 1));
            let inner: Result<(), ()> = tx.nested(|tx| {
                tx.put(port("undone", 2));
                Err(())
            });
            assert!(inner.is_err());
            Ok(())
        })
        .unwrap();
    assert_eq!(store.read().scan::<Port>().count(), 1);
}

#[tokio::test]
async fn subscription_reports_each_changed_row_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let mut changes = store.subscribe(&["port"]);
    put(&store, port("a", 1));
    put(&store, port("a", 1));
    store.write::<_, StoreError>(|tx| Ok(tx.delete::<Port>("a/00001"))).unwrap();
    let reported = changes.changed().await;
    assert_eq!(reported.into_iter().map(|c| c.key).collect::<Vec<_>>(), ["a/00001"]);
    let further = tokio::time::timeout(std::time::Duration::from_millis(10), changes.changed()).await;
    assert!(further.is_err());
}

#[test]
fn refuses_file_of_newer_version() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(&dir));
    let error = Store::open(&dir.path().join("state.db"), &[]).err().unwrap().to_string();
    assert!(error.contains("table 'port'") && error.contains("newer"), "{error}");
}

#[test]
fn commits_fail_after_the_cut() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let write = |row: Port| {
        store.write::<_, StoreError>(|tx| {
            tx.put(row);
            Ok(())
        })
    };
    store.cut_after(1);
    write(port("a", 1)).unwrap();
    assert!(store.is_cut());
    assert!(matches!(write(port("a", 2)), Err(StoreError::Cut)));
    assert!(store.read().get::<Port>("a/00002").is_none(), "an uncommitted row must not be visible");
    drop(store);
    assert_eq!(open(&dir).read().scan::<Port>().count(), 1);
}

/// A limit on the number of pages makes SQLite report a full disk.
#[test]
fn full_disk_refuses_transaction_and_next_one_succeeds_with_space() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    put(&store, port("a", 1));
    let pages = |most: u32| store.lock().set_page_limit(most);
    pages(1);
    let big = || port(&"x".repeat(100_000), 2);
    let refused = store.write::<(), StoreError>(|tx| {
        tx.put(big());
        Ok(())
    });
    let error = refused.unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with("nothing was changed, because the state cannot be written to "), "{text}");
    assert!(text.contains("bytes are free; free some space on it"), "{text}");
    assert_eq!(store.read().scan::<Port>().count(), 1, "a refused write must not be visible");
    pages(1 << 30);
    put(&store, big());
    drop(store);
    assert_eq!(open(&dir).read().scan::<Port>().count(), 2);
}

#[test]
fn refuses_a_row_of_another_version_and_names_the_way_out() {
    #[derive(Clone, Serialize, Deserialize)]
    struct Older {
        number: String,
    }
    impl Row for Older {
        const TABLE: &'static str = Port::TABLE;
        fn key(&self) -> String {
            self.number.clone()
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    let older = Store::open(&path, &[TableDef::of::<Older>()]).unwrap();
    older
        .write::<_, StoreError>(|tx| {
            tx.put(Older { number: "80".into() });
            Ok(())
        })
        .unwrap();
    drop(older);
    let refused = Store::open(&path, TABLES).err().unwrap();
    let text = refused.to_string();
    assert!(matches!(&refused, StoreError::Row { key, .. } if key == "80"), "{refused:?}");
    for part in ["another version of escale", "row '80' of table 'port'", "ESCALE_HOME", "escale reset"] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
}

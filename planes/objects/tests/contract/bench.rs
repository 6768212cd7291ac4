//! Measurements without assertions: `cargo test --release -p escale-objects bench -- --ignored --nocapture`.

use crate::bytes;
use escale_base::Clock;
use escale_objects::*;
use std::{sync::Arc, time::Instant};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn bench() {
    for durability in [Durability::Process, Durability::Power] {
        for inline_bytes in [0, 16 << 10] {
            let dir = tempfile::tempdir().unwrap();
            let limits = Limits { inline_bytes, ..Limits::default() };
            let settings = Settings { root: dir.path().into(), clock: Clock::machine(), durability, limits };
            let store = Arc::new(Store::open(settings).unwrap());
            store.create_bucket("b").await.unwrap();
            for (workers, puts, size) in
                [(1u64, 400u64, 4096), (32, 100, 4096), (32, 100, 16 << 10), (4, 8, 32 << 20)]
            {
                let run = async |what: &str, read: bool| {
                    let start = Instant::now();
                    let tasks: Vec<_> = (0..workers)
                        .map(|w| {
                            let (store, sent) = (store.clone(), bytes::Bytes::from(bytes(size, w)));
                            tokio::spawn(async move {
                                for i in 0..puts {
                                    let key = format!("{size}-{w}/{i}");
                                    if read {
                                        let got = store.get("b", &key, Read::default()).await.unwrap();
                                        assert_eq!(read_all(got.body).await.unwrap().len(), size);
                                    } else {
                                        let chunks = sent.chunks(65_536).map(|c| Ok(sent.slice_ref(c)));
                                        let chunks: Vec<_> = chunks.collect();
                                        let body = Box::pin(futures_util::stream::iter(chunks));
                                        store.put("b", &key, Put::default(), body).await.unwrap();
                                    }
                                }
                            })
                        })
                        .collect();
                    for task in tasks {
                        task.await.unwrap();
                    }
                    let secs = start.elapsed().as_secs_f64();
                    let n = (workers * puts) as f64;
                    println!(
                        "{durability:?} inline {inline_bytes} {what} {workers} × {size} B: {:.0}/s {:.0} MB/s",
                        n / secs,
                        n * size as f64 / secs / 1e6
                    );
                };
                run("put", false).await;
                run("get", true).await;
            }
        }
    }
}

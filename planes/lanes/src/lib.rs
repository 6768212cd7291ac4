//! Threads that serve connections, one per processor, each with a runtime of its own.
//!
//! A connection stays on its lane, and so does everything that it wakes: its timers, its connections to other servers, its tasks.
//! A multi-threaded runtime would wake another thread for many of these steps, which costs more than the step itself.
//!
//! A listener is still one socket, and one task accepts from it: see [`Acceptor`]. So a later process can get all listeners by
//! passing one descriptor each, no connection waits in the queue of a socket that nobody accepts from any more, and the lane with
//! the fewest connections gets the next one. `SO_REUSEPORT` has none of these properties (docs/decisions/049).
//!
//! Start at [`Lanes::spawn`].

mod accept;

pub use accept::Acceptor;

use std::{
    cell::Cell,
    future::Future,
    io,
    num::NonZero,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// More lanes than this need more memory, and no machine that Escale is made for has more to do.
const MOST: usize = 16;

thread_local! {
    static LANE: Cell<usize> = const { Cell::new(0) };
}

/// The index of the calling thread's lane, less than [`slots`]. Threads without a lane share index 0.
pub fn slot() -> usize {
    LANE.get()
}

/// How many indices [`slot`] can return.
pub fn slots() -> usize {
    MOST + 1
}

/// Where connections are served. Cheap to clone; the threads end with the last clone, and with them all that they serve.
#[derive(Clone)]
pub struct Lanes(Arc<[Lane]>);

struct Lane {
    runtime: Handle,
    /// Tasks that have not ended.
    tasks: Arc<AtomicUsize>,
    _stop: DropGuard,
}

impl Lanes {
    /// No threads: tasks run on the runtime of the caller of [`Lanes::spawn`].
    pub fn none() -> Lanes {
        Lanes(Arc::new([]))
    }

    /// One lane per processor that this process may use.
    pub fn per_processor() -> io::Result<Lanes> {
        Lanes::start(thread::available_parallelism().map_or(1, NonZero::get))
    }

    pub fn start(count: usize) -> io::Result<Lanes> {
        let lanes = (1..=count.clamp(1, MOST)).map(|slot| {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let (handle, stop) = (runtime.handle().clone(), CancellationToken::new());
            let stopped = stop.clone();
            thread::Builder::new().name(format!("escale-lane-{slot}")).spawn(move || {
                LANE.set(slot);
                runtime.block_on(stopped.cancelled());
            })?;
            Ok(Lane { runtime: handle, tasks: Arc::default(), _stop: stop.drop_guard() })
        });
        Ok(Lanes(lanes.collect::<io::Result<Vec<_>>>()?.into()))
    }

    /// Runs a task on the lane with the fewest tasks.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match self.0.iter().min_by_key(|lane| lane.tasks.load(Relaxed)) {
            None => drop(tokio::spawn(task)),
            Some(lane) => {
                let counted = Counted::new(&lane.tasks);
                lane.runtime.spawn(async move {
                    task.await;
                    drop(counted);
                });
            }
        }
    }
}

/// A task that has not ended.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(tasks: &Arc<AtomicUsize>) -> Counted {
        tasks.fetch_add(1, Relaxed);
        Counted(tasks.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn tasks_are_divided_evenly_and_stay_on_their_lane() {
        let lanes = Lanes::start(3).unwrap();
        let (sender, mut slots) = mpsc::channel(16);
        let held = CancellationToken::new();
        for _ in 0..6 {
            let (sender, held) = (sender.clone(), held.clone());
            lanes.spawn(async move {
                let before = slot();
                tokio::task::yield_now().await;
                sender.send((before, slot())).await.unwrap();
                held.cancelled().await;
            });
        }
        let mut counts = [0; 4];
        for _ in 0..6 {
            let (before, after) = slots.recv().await.unwrap();
            assert_eq!(before, after);
            counts[after] += 1;
        }
        assert_eq!(counts, [0, 2, 2, 2]);
    }

    #[tokio::test]
    async fn tasks_without_lanes_run_on_the_callers_runtime() {
        let (sender, mut slots) = mpsc::channel(1);
        Lanes::none().spawn(async move { sender.send(slot()).await.unwrap() });
        assert_eq!(slots.recv().await, Some(0));
    }

    #[tokio::test]
    async fn threads_end_with_the_last_clone() {
        let lanes = Lanes::start(1).unwrap();
        let (sender, mut ended) = mpsc::channel::<()>(1);
        lanes.spawn(async move {
            let _sender = sender;
            std::future::pending::<()>().await;
        });
        drop(lanes);
        assert_eq!(ended.recv().await, None);
    }
}

//! Threads that decode large bodies, so that no body keeps the threads that answer connections from the next request.
//!
//! They have a lower priority than all others: what is urgent is small. They run nothing but hashing, parsing and
//! checking, hold no lock while they do, and start no process that would inherit the priority.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// What `nice` gives by default.
const PRIORITY: i32 = 10;

pub(crate) struct Decoders {
    /// Bounded by the budget of bodies: each job holds one.
    queue: Sender<Job>,
}

impl Decoders {
    /// As many threads as half of the processors: the rest is for those that answer.
    pub(crate) fn start() -> io::Result<Decoders> {
        let (queue, jobs) = channel();
        let jobs = Arc::new(Mutex::new(jobs));
        let processors = thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..(processors / 2).max(1) {
            let jobs = Arc::clone(&jobs);
            thread::Builder::new().name("escale-decode".into()).spawn(move || work(&jobs))?;
        }
        Ok(Decoders { queue })
    }

    /// Waits for a free thread, then for the work. `None` if the work panicked.
    pub(crate) async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (done, answer) = oneshot::channel();
        let job = move || {
            // A client that is gone while the job waited needs no answer.
            if !done.is_closed() {
                let _ = done.send(job());
            }
        };
        self.queue.send(Box::new(job)).ok()?;
        answer.await.ok()
    }
}

/// Until the queue's other end is dropped.
fn work(jobs: &Mutex<Receiver<Job>>) {
    if let Err(error) = rustix::process::setpriority_process(None, PRIORITY) {
        tracing::warn!(%error, "large requests are decoded at the priority of small ones");
    }
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("decoding a request panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_its_job_alone() {
        let decoders = Decoders::start().unwrap();
        let broken: Option<()> = decoders.run(|| panic!("on purpose")).await;
        assert_eq!(broken, None);
        let name = decoders.run(|| thread::current().name().map(str::to_owned)).await;
        assert_eq!(name.flatten().as_deref(), Some("escale-decode"));
    }

    #[tokio::test]
    async fn decodes_behind_everything_else() {
        let own = rustix::process::getpriority_process(None).unwrap();
        let decoders = Decoders::start().unwrap();
        let nice = decoders.run(|| rustix::process::getpriority_process(None).unwrap()).await;
        assert!(nice.unwrap() >= PRIORITY);
        // Of that thread alone; this one may have been started with a low priority itself.
        assert_eq!(rustix::process::getpriority_process(None).unwrap(), own);
    }
}

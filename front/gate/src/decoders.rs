//! Threads that decode large bodies, so that a body never blocks the threads that answer connections.
//!
//! They have a lower priority than all other threads, since urgent requests are small. They only hash, parse and check; they
//! hold no lock meanwhile and start no process that would inherit the priority.

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

/// The default of the command `nice`.
const PRIORITY: i32 = 10;

pub(crate) struct Decoders {
    /// Bounded by the budget of bodies: each job holds one.
    queue: Sender<Job>,
}

impl Decoders {
    /// Starts one thread for every two processors. The other half is left to the threads that answer connections.
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
            // The client may have disconnected while the job waited: decoding would be wasted work.
            if !done.is_closed() {
                let _ = done.send(job());
            }
        };
        self.queue.send(Box::new(job)).ok()?;
        answer.await.ok()
    }
}

/// Runs jobs until the sender of the queue is dropped.
fn work(jobs: &Mutex<Receiver<Job>>) {
    // On Linux, a nice value set for the calling process id 0 applies to this thread alone.
    if let Err(error) = rustix::process::setpriority_process(None, PRIORITY) {
        tracing::warn!(%error, "large requests are decoded at the priority of small ones");
    }
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // A panic must cost one request only: the thread would otherwise be missing until the daemon's next start.
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("decoding a request panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_only_its_own_job() {
        let decoders = Decoders::start().unwrap();
        let broken: Option<()> = decoders.run(|| panic!("on purpose")).await;
        assert_eq!(broken, None);
        let name = decoders.run(|| thread::current().name().map(str::to_owned)).await;
        assert_eq!(name.flatten().as_deref(), Some("escale-decode"));
    }

    #[tokio::test]
    async fn decodes_with_low_priority() {
        let own = rustix::process::getpriority_process(None).unwrap();
        let decoders = Decoders::start().unwrap();
        let nice = decoders.run(|| rustix::process::getpriority_process(None).unwrap()).await;
        assert!(nice.unwrap() >= PRIORITY);
        // Only that thread's priority changed. This thread may have started with a low priority itself.
        assert_eq!(rustix::process::getpriority_process(None).unwrap(), own);
    }
}

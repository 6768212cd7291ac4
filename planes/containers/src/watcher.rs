//! Notifies waiters that a directory changed: one inotify instance for the whole plane.

use escale_base::{PlaneError, error::Context};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use std::{
    collections::HashMap,
    mem::MaybeUninit,
    os::fd::OwnedFd,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{io::unix::AsyncFd, sync::watch, task::JoinHandle};

/// A counter that is incremented when there is something to read again. Carries no data.
pub(crate) type Wake = Arc<watch::Sender<u64>>;

pub(crate) fn wake(sender: &Wake) {
    sender.send_modify(|n| *n += 1);
}

pub(crate) struct Watcher {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    fd: AsyncFd<OwnedFd>,
    by_watch: Mutex<HashMap<i32, Vec<Wake>>>,
}

impl Watcher {
    pub(crate) fn new() -> Result<Watcher, PlaneError> {
        let place = || "watch directories (inotify); raise fs.inotify.max_user_instances".to_owned();
        let fd = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).machine(place)?;
        // SAFETY: an OwnedFd is one open descriptor, the same until the AsyncFd drops it.
        let fd = unsafe { AsyncFd::register(fd) }.machine(place)?;
        let shared = Arc::new(Shared { fd, by_watch: Mutex::default() });
        let task = tokio::spawn(Arc::clone(&shared).read());
        Ok(Watcher { shared, task })
    }

    /// Wakes at a file created in, renamed into or closed after writing in `dir`; with `growing`, at each write too.
    pub(crate) fn watch(&self, dir: &Path, growing: bool, who: &Wake) -> Result<(), PlaneError> {
        let mut what = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::CLOSE_WRITE;
        what.set(WatchFlags::MODIFY, growing);
        let mut by_watch = self.shared.by_watch.lock().unwrap_or_else(PoisonError::into_inner);
        let id = inotify::add_watch(self.shared.fd.get_ref(), dir, what)
            .machine(|| format!("watch {}; raise fs.inotify.max_user_watches", dir.display()))?;
        let wakes = by_watch.entry(id).or_default();
        // A waiter that is gone has no receiver left.
        wakes.retain(|w| w.receiver_count() > 0);
        if !wakes.iter().any(|w| Arc::ptr_eq(w, who)) {
            wakes.push(Arc::clone(who));
        }
        Ok(())
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    async fn read(self: Arc<Shared>) {
        let mut buffer = [MaybeUninit::<u8>::uninit(); 8192];
        while let Ok(mut ready) = self.fd.readable().await {
            let mut reader = inotify::Reader::new(self.fd.get_ref(), &mut buffer);
            while let Ok(event) = reader.next() {
                self.notify(event.wd(), event.events());
            }
            ready.clear_ready();
        }
    }

    fn notify(&self, id: i32, what: ReadFlags) {
        let mut by_watch = self.by_watch.lock().unwrap_or_else(PoisonError::into_inner);
        if what.contains(ReadFlags::QUEUE_OVERFLOW) {
            // The queue overflowed and events were lost: wake every waiter.
            by_watch.values().flatten().for_each(wake);
        } else if what.contains(ReadFlags::IGNORED) {
            by_watch.remove(&id);
        } else if let Some(wakes) = by_watch.get(&id) {
            wakes.iter().for_each(wake);
        }
    }
}

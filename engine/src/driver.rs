//! Runs reconcilers: one task per reconciler, and one worker per key that needs work.

use crate::{PendingReasons, Plan, Reconciler, StepError};
use escale_base::{Clock, limits};
use escale_store::{ALL_TABLES, Change, Reads, Store};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, task::JoinSet};

/// Runs reconcilers until it is dropped.
pub struct Engine {
    store: Store,
    clock: Clock,
    pending_reasons: PendingReasons,
    tasks: JoinSet<()>,
}

impl Engine {
    pub fn new(store: Store, clock: Clock) -> Engine {
        Engine { store, clock, pending_reasons: PendingReasons::default(), tasks: JoinSet::new() }
    }

    pub fn pending_reasons(&self) -> PendingReasons {
        self.pending_reasons.clone()
    }

    /// Starts a reconciler. It first plans for all of its keys.
    pub fn add<R: Reconciler>(&mut self, reconciler: R) {
        let driver = Arc::new(Driver {
            reconciler,
            store: self.store.clone(),
            clock: self.clock.clone(),
            pending_reasons: self.pending_reasons.clone(),
            workers: Mutex::default(),
            waits: Mutex::default(),
        });
        self.tasks.spawn(drive(driver));
    }

    /// Runs a task for as long as the engine lives: an observer that records what a plane reports.
    pub fn run(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }
}

struct Driver<R> {
    reconciler: R,
    store: Store,
    clock: Clock,
    pending_reasons: PendingReasons,
    /// The keys that have a worker, each with the wake-up that makes its worker plan again.
    workers: Mutex<HashMap<String, Arc<WakeUp>>>,
    /// What the plans of waiting keys have read, if the reconciler watches all tables. A key that does not wait is not listed.
    waits: Mutex<HashMap<String, Reads>>,
}

#[derive(Default)]
struct WakeUp {
    signalled: Mutex<bool>,
    notify: Notify,
}

impl WakeUp {
    fn signal(&self) {
        *self.signalled.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.notify.notify_one();
    }

    fn take(&self) -> bool {
        std::mem::take(&mut *self.signalled.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn drive<R: Reconciler>(driver: Arc<Driver<R>>) {
    // Subscribed before the first read, so that no change falls between the two.
    let mut subscription = driver.store.subscribe(R::WATCHES);
    let mut workers = JoinSet::new();
    let mut keys = driver.reconciler.all(&driver.store.read());
    loop {
        for key in keys {
            driver.wake(key, &mut workers);
        }
        // Reaps finished workers, or the set would grow with every key that ever changed.
        while workers.try_join_next().is_some() {}
        let changes = subscription.changed().await;
        let image = driver.store.read();
        let concerned = |change: &Change| {
            let keys = driver.reconciler.concerned(&image, change);
            keys.into_iter().filter(|key| driver.may_concern(key, change)).collect::<Vec<_>>()
        };
        keys = changes.iter().flat_map(concerned).collect::<BTreeSet<_>>();
    }
}

impl<R: Reconciler> Driver<R> {
    /// Whether the change may lead to another plan. A plan that waits depends on nothing but the rows that it has read. A step
    /// that failed may depend on others, and a plan in progress has not read all of its rows yet: then every change counts.
    fn may_concern(&self, key: &str, change: &Change) -> bool {
        self.waits().get(key).is_none_or(|reads| reads.concern(change))
    }

    fn waits(&self) -> MutexGuard<'_, HashMap<String, Reads>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(self: &Arc<Self>, key: String, workers: &mut JoinSet<()>) {
        let mut all = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wake_up) = all.get(&key) {
            wake_up.signal();
            return;
        }
        let wake_up = Arc::new(WakeUp::default());
        all.insert(key.clone(), Arc::clone(&wake_up));
        let driver = Arc::clone(self);
        workers.spawn(async move { driver.work(&key, &wake_up).await });
    }

    /// Takes steps for one key until nothing is left to do and no wake-up is pending.
    async fn work(&self, key: &str, wake_up: &WakeUp) {
        let mut failures = 0u32;
        loop {
            // Cleared before the state is read: a change after this point signals again, and the next plan includes it.
            wake_up.take();
            self.waits().remove(key);
            let now = self.clock.now();
            // A worker may wait for an hour, and an image keeps every row of its commit in memory: it is dropped before the wait.
            let (plan, version, reads) = {
                let image = self.store.read();
                if R::WATCHES == ALL_TABLES {
                    let (image, reads) = image.recorded();
                    (self.reconciler.plan(&image, key, now), image.version(), Some(reads))
                } else {
                    (self.reconciler.plan(&image, key, now), image.version(), None)
                }
            };
            match plan {
                Plan::Done => {
                    self.pending_reasons.clear(R::NAME, key);
                    if self.finish(key, wake_up) {
                        return;
                    }
                }
                Plan::Wait { why, until } => {
                    self.pending_reasons.set(R::NAME, key, why, 0, now);
                    // Before the worker ends or pauses: a change after the plan must find either no entry or this one.
                    if let Some(reads) = reads {
                        self.waits().insert(key.to_owned(), reads);
                    }
                    match until {
                        None if self.finish(key, wake_up) => return,
                        None => {}
                        Some(at) => {
                            let ms = at.since_ms(now).clamp(1, i64::from(u32::MAX)) as u64;
                            self.pause(wake_up, ms).await;
                        }
                    }
                }
                Plan::Step(step) => {
                    let text = format!("{step:?}");
                    tracing::debug!(reconciler = R::NAME, key, step = text, "step");
                    match self.reconciler.act(key, step).await {
                        // Something was written since the plan, by this step or another writer: planning again at once can make progress.
                        Ok(()) if self.store.read().version() != version => failures = 0,
                        // A step that changes no row would be planned again at once, in an endless loop.
                        Ok(()) => {
                            failures = (failures + 1).min(16);
                            self.pause(wake_up, backoff_ms(failures, true)).await;
                        }
                        Err(error) => {
                            failures = (failures + 1).min(u32::MAX - 1);
                            self.report(key, &text, &error, failures);
                            self.pause(wake_up, backoff_ms(failures, error.retry)).await;
                        }
                    }
                }
            }
        }
    }

    /// Removes the worker, unless a wake-up arrived in between: then it must plan again.
    fn finish(&self, key: &str, wake_up: &WakeUp) -> bool {
        // Under the lock that `wake` takes: it either finds this worker and signals it, or starts a new one.
        let mut all = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        if wake_up.take() {
            return false;
        }
        all.remove(key);
        true
    }

    fn report(&self, key: &str, step: &str, error: &StepError, failures: u32) {
        // Logs the first failure and each power of two: a permanent fault must not fill the log.
        if failures.is_power_of_two() {
            tracing::warn!(reconciler = R::NAME, key, step, failures, %error, "a step failed");
        }
        self.pending_reasons.set(R::NAME, key, error.to_string(), failures, self.clock.now());
    }

    async fn pause(&self, wake_up: &WakeUp, ms: u64) {
        let _ = tokio::time::timeout(Duration::from_millis(ms), wake_up.notify.notified()).await;
    }
}

fn backoff_ms(failures: u32, retry: bool) -> u64 {
    if !retry {
        return limits::BACKOFF_MAX_MS;
    }
    let doubled = limits::BACKOFF_MIN_MS.saturating_mul(1u64 << failures.saturating_sub(1).min(16));
    doubled.min(limits::BACKOFF_MAX_MS)
}

//! The order of the calls on one database: one at a time, and a verdict of the observers before every other.

use crate::plane::Inner;
use escale_base::PlaneError;
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use tokio::sync::watch;

#[derive(Default)]
pub(crate) struct Turn {
    lock: Arc<tokio::sync::Mutex<()>>,
    /// How many verdicts want the lock: every other call gives it up.
    seizing: watch::Sender<u32>,
    /// How many calls stop the primary on purpose.
    planned: AtomicU32,
}

/// The lock of a database; while it is held, verdicts wait for nobody else.
pub(crate) struct Seized {
    _one: tokio::sync::OwnedMutexGuard<()>,
    _mark: SeizeMark,
}

struct SeizeMark(Arc<Turn>);

impl Drop for SeizeMark {
    fn drop(&mut self) {
        self.0.seizing.send_modify(|n| *n -= 1);
    }
}

/// While it exists, the primary of the database is stopped on purpose.
pub(crate) struct Planned(Arc<Turn>);

impl Drop for Planned {
    fn drop(&mut self) {
        self.0.planned.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Inner {
    pub(crate) async fn lock(&self, name: &str) -> tokio::sync::OwnedMutexGuard<()> {
        Arc::clone(&self.turn(name).lock).lock_owned().await
    }

    /// Runs `work` under the database's lock. A verdict interrupts it, which is the same as a crash at that point; work that has not
    /// begun waits until the verdict is carried out.
    pub(crate) async fn exclusively<T>(
        &self,
        name: &str,
        work: impl Future<Output = Result<T, PlaneError>>,
    ) -> Result<T, PlaneError> {
        let mut seizing = self.turn(name).seizing.subscribe();
        let _one = loop {
            let _ = seizing.wait_for(|n| *n == 0).await;
            let one = self.lock(name).await;
            if *seizing.borrow() == 0 {
                break one;
            }
        };
        tokio::select! {
            biased;
            _ = seizing.wait_for(|n| *n > 0) => Err(PlaneError::machine(format!(
                "database '{name}': the call was interrupted, because a server of the database failed"
            ))),
            done = work => done,
        }
    }

    /// Takes the lock from whichever call has it.
    pub(crate) async fn seize(&self, name: &str) -> Seized {
        let turn = self.turn(name);
        turn.seizing.send_modify(|n| *n += 1);
        let _mark = SeizeMark(Arc::clone(&turn));
        Seized { _one: Arc::clone(&turn.lock).lock_owned().await, _mark }
    }

    /// Until the guard is dropped, the observers of the database decide nothing.
    pub(crate) fn plan_downtime(&self, name: &str) -> Planned {
        let turn = self.turn(name);
        turn.planned.fetch_add(1, Ordering::SeqCst);
        Planned(turn)
    }

    pub(crate) fn is_planned(&self, name: &str) -> bool {
        self.turn(name).planned.load(Ordering::SeqCst) > 0
    }

    fn turn(&self, name: &str) -> Arc<Turn> {
        let mut turns = self.turns.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        turns.entry(name.to_owned()).or_default().clone()
    }
}

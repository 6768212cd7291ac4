//! Decides which calls of a plane fail.

use async_trait::async_trait;
use escale_base::PlaneError;
use std::sync::atomic::{AtomicU64, Ordering};

/// Decides for every call of a plane whether it is delayed, fails, or never returns.
#[async_trait]
pub trait Fate: Send + Sync + 'static {
    /// Called before and after the call. May delay it; never returns if the simulated caller has died.
    async fn border(&self, call: &'static str);

    /// Whether the call fails at this point: before the plane executes it (`done` is false) or after.
    fn fails(&self, call: &'static str, done: bool) -> bool;

    /// Called before an observation of a plane is delivered.
    async fn pause(&self);

    /// Whether this observation is the one before it, although the plane has changed since.
    fn is_stale(&self, _call: &'static str) -> bool {
        false
    }
}

/// The meaning of a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The plane may have executed it nevertheless.
    Unknown,
    /// The plane has executed nothing, because the call is atomic.
    Nothing,
}

/// An error type of a plane that can be injected.
pub trait MadeUp {
    fn made_up(call: &str) -> Self;
}

impl MadeUp for PlaneError {
    fn made_up(call: &str) -> PlaneError {
        PlaneError::machine(format!("{call}: an injected fault"))
    }
}

impl MadeUp for escale_objects::Error {
    fn made_up(call: &str) -> Self {
        PlaneError::made_up(call).into()
    }
}

impl MadeUp for escale_registry::Error {
    fn made_up(call: &str) -> Self {
        PlaneError::made_up(call).into()
    }
}

/// One fault, at the n-th of all places. Each call has two places: before and after its execution.
pub struct FaultAt(AtomicU64);

impl FaultAt {
    pub fn place(number: u64) -> FaultAt {
        FaultAt(AtomicU64::new(number + 1))
    }

    pub fn never() -> FaultAt {
        FaultAt(AtomicU64::new(u64::MAX))
    }

    /// Whether the fault has occurred.
    pub fn has_occurred(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }
}

#[async_trait]
impl Fate for FaultAt {
    async fn border(&self, _: &'static str) {}

    fn fails(&self, _: &'static str, _: bool) -> bool {
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) == Ok(1)
    }

    async fn pause(&self) {}
}

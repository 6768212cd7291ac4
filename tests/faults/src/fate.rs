//! Who decides what becomes of a call.

use async_trait::async_trait;
use escale_base::PlaneError;
use std::sync::atomic::{AtomicU64, Ordering};

/// Decides at every call of a plane.
#[async_trait]
pub trait Fate: Send + Sync + 'static {
    /// On the way to the plane, or back from it. May take time; whoever is dead never returns.
    async fn border(&self, call: &'static str);

    /// Whether the call fails here: before the plane has heard of it, or when it has done what was asked.
    fn fails(&self, call: &'static str, done: bool) -> bool;

    /// Before what a plane shows is seen.
    async fn pause(&self);
}

/// What a call's failure can mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It may have been done nevertheless.
    Unknown,
    /// Nothing was done: the plane promises all or nothing.
    Nothing,
}

/// An error type of a plane that can be made up.
pub trait MadeUp {
    fn made_up(call: &str) -> Self;
}

impl MadeUp for PlaneError {
    fn made_up(call: &str) -> PlaneError {
        PlaneError::machine(format!("{call}: a fault that was made up"))
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

/// One fault, at the so-many-th place where one can be: before and after each call.
pub struct FaultAt(AtomicU64);

impl FaultAt {
    pub fn place(number: u64) -> FaultAt {
        FaultAt(AtomicU64::new(number + 1))
    }

    pub fn never() -> FaultAt {
        FaultAt(AtomicU64::new(u64::MAX))
    }

    /// Whether it has come.
    pub fn came(&self) -> bool {
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

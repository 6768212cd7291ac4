//! Drives the observed state towards the desired state.
//!
//! A [`Reconciler`] computes the next step for one key from the state alone ([`Reconciler::plan`], pure) and executes
//! it ([`Reconciler::act`], idempotent). The [`Engine`] wakes it when rows change, never runs two steps for the
//! same key at once, backs off when a step fails, and records [why](PendingReason) a step has not completed yet.
//!
//! A wake-up carries no data and a plan chooses nothing at random, so a crash between any two steps costs
//! only the repetition of one step. Start at [`Reconciler`].

mod driver;
mod pending_reason;
mod periodic;

pub use driver::Engine;
pub use pending_reason::{PendingReason, PendingReasons};
pub use periodic::Periodic;

use escale_base::{AwsError, PlaneError, Timestamp};
use escale_store::{Change, Image};
use std::{collections::BTreeSet, fmt::Debug, future::Future};

/// Reconciles one kind of object.
pub trait Reconciler: Send + Sync + 'static {
    /// One idempotent step, with everything it needs.
    type Step: Debug + Send + 'static;

    const NAME: &'static str;
    /// The tables whose changes wake it. With [`escale_store::ALL_TABLES`] a key that waits is planned again only after a change of
    /// a row that its last plan has read.
    const WATCHES: &'static [&'static str];

    /// The keys of the objects that may need work because of `change`. Must have no side effects: after a restart no change is
    /// reported for rows that were written before, so anything recorded here would be missing.
    fn concerned(&self, image: &Image, change: &Change) -> BTreeSet<String>;

    /// All keys. The engine calls this once, at the start.
    fn all(&self, image: &Image) -> BTreeSet<String>;

    /// The next step for the object `key`. Pure: the same image gives the same plan.
    fn plan(&self, image: &Image, key: &str, now: Timestamp) -> Plan<Self::Step>;

    /// Executes one step. A crash may interrupt it anywhere, and it may be repeated. It never retries: the engine plans again after
    /// a failure.
    fn act(&self, key: &str, step: Self::Step) -> impl Future<Output = Result<(), StepError>> + Send;
}

/// The result of [`Reconciler::plan`].
#[derive(Debug, PartialEq, Eq)]
pub enum Plan<S> {
    /// Desired and observed state agree.
    Done,
    /// Nothing to do until a row changes or the time `until` is reached. `why` names what it waits for.
    Wait {
        why: String,
        until: Option<Timestamp>,
    },
    Step(S),
}

impl<S> Plan<S> {
    pub fn wait(why: impl Into<String>) -> Plan<S> {
        Plan::Wait { why: why.into(), until: None }
    }

    pub fn wait_until(at: Timestamp, why: impl Into<String>) -> Plan<S> {
        Plan::Wait { why: why.into(), until: Some(at) }
    }
}

/// Why a step failed. The engine tries again either way, since the state may change; with `retry: false` it starts
/// with the longest pause.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct StepError {
    pub what: String,
    pub retry: bool,
}

impl StepError {
    pub fn new(what: impl Into<String>) -> StepError {
        StepError { what: what.into(), retry: true }
    }
}

impl From<PlaneError> for StepError {
    fn from(error: PlaneError) -> StepError {
        StepError { what: error.to_string(), retry: error.retry }
    }
}

impl From<AwsError> for StepError {
    fn from(error: AwsError) -> StepError {
        StepError { what: error.to_string(), retry: error.status >= 500 }
    }
}

impl From<escale_store::StoreError> for StepError {
    fn from(error: escale_store::StoreError) -> StepError {
        StepError { what: error.to_string(), retry: true }
    }
}

#[cfg(test)]
mod tests;

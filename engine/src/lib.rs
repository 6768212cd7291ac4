//! Makes wishes true.
//!
//! A [`Reconciler`] says, from the state alone, what the next step for one thing is ([`Reconciler::plan`], pure), and takes it
//! ([`Reconciler::act`], idempotent). The [`Engine`] wakes it when rows change, never runs two steps for the
//! same thing at once, backs off when a step fails, and keeps [why](Trouble) something is not done yet.
//!
//! A wake-up carries no data and a plan chooses nothing at random, so that a crash between any two steps costs
//! nothing but the repetition of one. Start at [`Reconciler`].

mod driver;
mod periodic;
mod trouble;

pub use driver::Engine;
pub use periodic::Periodic;
pub use trouble::{Trouble, Troubles};

use escale_base::{AwsError, PlaneError, Timestamp};
use escale_store::{Change, Image};
use std::{collections::BTreeSet, fmt::Debug, future::Future};

/// Brings one kind of thing about.
pub trait Reconciler: Send + Sync + 'static {
    /// One idempotent step, with everything it needs.
    type Step: Debug + Send + 'static;

    const NAME: &'static str;
    /// The tables whose changes concern it.
    const WATCHES: &'static [&'static str];

    /// The keys of the things that may need work because of `change`. Only looks: what it notes would be missing where nobody told of
    /// the change.
    fn concerned(&self, image: &Image, change: &Change) -> BTreeSet<String>;

    /// The keys of all things: asked once, at the start.
    fn all(&self, image: &Image) -> BTreeSet<String>;

    /// What to do next for the thing `key`. Pure: same image, same answer.
    fn plan(&self, image: &Image, key: &str, now: Timestamp) -> Plan<Self::Step>;

    /// Does one step. May be cut off anywhere and repeated. No retries inside: the engine comes back.
    fn act(&self, key: &str, step: Self::Step) -> impl Future<Output = Result<(), StepError>> + Send;
}

/// What [`Reconciler::plan`] answers.
#[derive(Debug, PartialEq, Eq)]
pub enum Plan<S> {
    /// Wish and world agree.
    Done,
    /// Nothing to do until a row changes or the time comes; says what is being waited for.
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

/// Why a step did not come about. The engine tries again either way, since the state may change; `retry: false` only starts
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

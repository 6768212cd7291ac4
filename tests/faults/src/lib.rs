//! Planes with injected faults ([`Risky`]), and the fault tests that every reconciler must pass (`survives.rs`): each step is
//! executed twice, each call of a plane fails once, and the wish is withdrawn after such a fault.
//!
//! For tests only: no program depends on this crate. A [`Fate`] decides which calls fail.
//! Start at [`Fate`].

mod fate;
mod risky;
mod stores;
mod survives;

pub use fate::{Fate, FaultAt, Kind, MadeUp};
pub use risky::{Risky, RiskyContainers};
pub use survives::{
    Driven, Stage, survives_failure_at_each_step, survives_repeat, survives_withdrawal_at_each_step,
};

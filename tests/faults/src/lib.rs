//! Planes whose calls fail as a test wants ([`Risky`]), and what every reconciler must survive (`survives.rs`): each step
//! taken twice, a fault at each call of a plane, and a wish that is taken back after such a fault.
//!
//! For tests alone: no program depends on it. It decides nothing by itself; a [`Fate`] does.
//! Start at [`Fate`].

mod fate;
mod risky;
mod stores;
mod survives;

pub use fate::{Fate, FaultAt, Kind, MadeUp};
pub use risky::{Risky, RiskyContainers};
pub use survives::{
    Driven, Stage, survives_failure_at_each_step, survives_regret_at_each_step, survives_repeat,
};

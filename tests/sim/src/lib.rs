//! Simulates the whole cloud, wired as in the daemon, on fakes of the planes: with simulated time and with faults that a seed
//! determines. Calls of planes fail, are delayed, or return what was true before. Tasks and servers die, zones lose their power or their network, the
//! clock is set. The daemon dies between any two commits of the state and at any call of a plane, and is restarted on the same state
//! and planes.
//!
//! It opens no reachable port and needs no privilege. It proves nothing about the real planes: each plane's contract test checks
//! that its fake behaves like the real one.
//!
//! Start at [`run`], one scenario with the shop; `invariants.rs` has the conditions that must always hold, `check.rs` those at its end.

mod accidents;
mod check;
mod client;
mod hazard;
mod invariants;
mod percent;
mod rows;
mod scenario;
mod shop;
mod simulation;
mod zones;

pub use hazard::Weather;
pub use scenario::{Outcome, run};

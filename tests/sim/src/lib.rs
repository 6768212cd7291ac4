//! Simulates the whole cloud, wired as in the daemon, on fakes of the planes: with simulated time and with faults that a seed
//! determines. Calls of planes fail or are delayed. Tasks and servers die. The daemon dies between any two commits of the state
//! and at any call of a plane, and is restarted on the same state and planes.
//!
//! It opens no reachable port and needs no privilege. It proves nothing about the real planes: each plane's contract test checks
//! that its fake behaves like the real one.
//!
//! Start at [`run`], one scenario with the shop; `check.rs` has the conditions that must hold at its end.

mod accidents;
mod check;
mod client;
mod hazard;
mod percent;
mod rows;
mod scenario;
mod shop;
mod simulation;

pub use hazard::Weather;
pub use scenario::{Outcome, run};

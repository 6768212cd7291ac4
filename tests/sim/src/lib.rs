//! The whole cloud, wired as the daemon wires it, on planes in memory: with a time of its own, and with whatever can go wrong
//! going wrong as a seed decides. Planes' calls fail, take long, or answer late; tasks and servers die; and the daemon
//! dies between any two commits of the state and at any call of a plane, to be started again on the same state and planes.
//!
//! It opens no port that anybody could reach, needs no privilege, and proves nothing about the planes: that the ones in memory behave
//! as the real ones is what each plane's contract test is for.
//!
//! Start at [`run`], a story of one shop; `check.rs` has what must be true when it is over.

mod accidents;
mod check;
mod client;
mod hazard;
mod shop;
mod story;
mod world;

pub use hazard::Weather;
pub use story::{Outcome, run};

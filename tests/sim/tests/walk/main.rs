//! Calls every operation of the cloud through the gate, with the minimal input of its model.
//!
//! Rules for all operations are tested for all of them: none can be called without permission, members that are not enacted are
//! refused by name, and unknown members are ignored. The lists come from the cloud and the models, so new operations are
//! included.

#![allow(clippy::unwrap_used, reason = "a test may fail by it; clippy only knows of #[test] functions")]

mod cloud;
mod deny;
mod encode;
mod input;
mod members;
mod names;
mod requests;
mod secondary;
mod types;

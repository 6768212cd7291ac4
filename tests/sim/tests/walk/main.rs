//! Every operation of the running cloud, called through the gate with the least input that its model takes.
//!
//! What holds for all operations is tested of all of them: none can be called without permission, what is not enacted is
//! refused by its name, and what no model knows is ignored. The lists come from the cloud and the models, so that an operation
//! that is added tomorrow is walked over as well.

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

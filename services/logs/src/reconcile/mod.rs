//! What drops events.

mod sweep;

pub(crate) use sweep::Sweep;

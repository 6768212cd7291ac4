//! The reconciler that deletes old events.

mod sweep;

pub(crate) use sweep::Sweep;

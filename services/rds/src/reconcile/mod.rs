//! Reconcilers of instances, snapshots and automated backups.

mod backup;
mod executor;
mod instance;
mod snapshot;
mod wish;

pub(crate) use backup::Backups;
pub(crate) use executor::Executor;
pub(crate) use instance::{Instances, is_complete};
pub(crate) use snapshot::Snapshots;
pub(crate) use wish::{fingerprint, is_stopped, plane_name};

#[cfg(test)]
mod backup_tests;
#[cfg(test)]
mod replica_tests;
#[cfg(test)]
pub(crate) mod tests;

//! Bring the wishes about: instances, snapshots, automated backups.

mod backup;
mod hands;
mod instance;
mod snapshot;
mod wish;

pub(crate) use backup::Backups;
pub(crate) use hands::Hands;
pub(crate) use instance::Instances;
pub(crate) use snapshot::Snapshots;
pub(crate) use wish::{fingerprint, is_stopped, plane_name};

#[cfg(test)]
mod tests;

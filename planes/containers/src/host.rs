//! The interface between planning and acting: everything that the driver needs of a machine, real or fake.

use crate::{
    seen::{ExecOutput, LogChunk, LogLine, Stats},
    session::{Session, SessionSpec},
    spec::{ContainerSpec, GroupSpec},
    store::{Facts, Notes},
    watcher::Wake,
};
use async_trait::async_trait;
use escale_base::PlaneError;
use std::{sync::Arc, time::Duration};

#[async_trait]
pub(crate) trait Host: Send + Sync + 'static {
    /// All groups that were saved and not deleted.
    fn load(&self) -> Result<Vec<(GroupSpec, Notes)>, PlaneError>;
    /// Whether the group could be started here: its images are complete, and the sources of its mounts exist.
    fn check(&self, spec: &GroupSpec) -> Result<(), PlaneError>;
    fn save_group(&self, spec: &GroupSpec) -> Result<(), PlaneError>;
    fn save_notes(&self, group: &str, notes: &Notes) -> Result<(), PlaneError>;
    /// None of its containers may be running.
    async fn delete_group(self: Arc<Self>, group: &str) -> Result<(), PlaneError>;
    /// From now on `wake` is incremented when the facts of the group may have changed.
    fn watch(&self, group: &GroupSpec, wake: &Wake) -> Result<(), PlaneError>;

    fn facts(&self, group: &str, container: &str) -> Facts;
    /// Returns when a shim keeps the container, not when the container runs.
    async fn launch(
        self: Arc<Self>,
        group: &GroupSpec,
        container: &ContainerSpec,
        wake: &Wake,
    ) -> Result<(), PlaneError>;
    /// Records that it will never run.
    fn write_off(
        &self,
        group: &str,
        container: &str,
        reason: crate::seen::ExitReason,
    ) -> Result<(), PlaneError>;
    fn signal(&self, group: &GroupSpec, container: &ContainerSpec, kill: bool) -> Result<(), PlaneError>;
    /// Ends what a dead shim left running and writes the exit.
    async fn bury(&self, group: &str, container: &str) -> Result<(), PlaneError>;

    async fn exec(
        &self,
        group: &str,
        container: &str,
        argv: &[String],
        timeout: Duration,
    ) -> Result<ExecOutput, PlaneError>;
    async fn session(&self, group: &str, container: &str, spec: &SessionSpec) -> Result<Session, PlaneError>;
    fn logs(
        &self,
        group: &str,
        container: &str,
        cursor: u64,
        max_bytes: usize,
    ) -> Result<LogChunk, PlaneError>;
    fn tail(&self, group: &str, container: &str, lines: usize) -> Result<Vec<LogLine>, PlaneError>;
    fn watch_logs(&self, group: &str, container: &str, wake: &Wake) -> Result<(), PlaneError>;
    /// Whether [`Host::storage_used`] returns measurements.
    fn measures_storage(&self) -> bool;
    /// Bytes that its containers have written and not removed. Blocks.
    fn storage_used(&self, group: &GroupSpec) -> Result<u64, PlaneError>;
    fn stats(&self, group: &GroupSpec) -> Result<Stats, PlaneError>;

    fn powered(&self, zone: &str) -> bool;
    fn set_power(&self, zone: &str, on: bool) -> Result<(), PlaneError>;
    /// The plane no longer uses the host; some of its tasks may still hold it for a moment.
    fn close(&self);
    /// Removes everything else that was ever made; all groups have been removed before.
    fn wipe(&self) -> Result<(), PlaneError>;
}

//! The events of stacks.

use super::{ClientRequestToken, LogicalId, PhysicalId, StackUuid, TypeName};
use crate::row;
use escale_base::Timestamp;
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// Unique among the events of its stack.
    EventId;
}

escale_base::choice! {
    /// The state of a resource or a stack in an event.
    pub enum ResourceStatus {
        ReviewInProgress = "REVIEW_IN_PROGRESS", CreateInProgress = "CREATE_IN_PROGRESS", CreateFailed = "CREATE_FAILED",
        CreateComplete = "CREATE_COMPLETE", DeleteInProgress = "DELETE_IN_PROGRESS",
        DeleteFailed = "DELETE_FAILED", DeleteComplete = "DELETE_COMPLETE",
        DeleteSkipped = "DELETE_SKIPPED", UpdateInProgress = "UPDATE_IN_PROGRESS",
        UpdateCompleteCleanupInProgress = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        UpdateRollbackCompleteCleanupInProgress = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        UpdateFailed = "UPDATE_FAILED", UpdateComplete = "UPDATE_COMPLETE", ImportFailed = "IMPORT_FAILED",
        ImportComplete = "IMPORT_COMPLETE", ImportInProgress = "IMPORT_IN_PROGRESS",
        ImportRollbackInProgress = "IMPORT_ROLLBACK_IN_PROGRESS",
        ImportRollbackFailed = "IMPORT_ROLLBACK_FAILED",
        ImportRollbackComplete = "IMPORT_ROLLBACK_COMPLETE", ExportFailed = "EXPORT_FAILED",
        ExportComplete = "EXPORT_COMPLETE", ExportInProgress = "EXPORT_IN_PROGRESS",
        ExportRollbackInProgress = "EXPORT_ROLLBACK_IN_PROGRESS",
        ExportRollbackFailed = "EXPORT_ROLLBACK_FAILED",
        ExportRollbackComplete = "EXPORT_ROLLBACK_COMPLETE",
        UpdateRollbackInProgress = "UPDATE_ROLLBACK_IN_PROGRESS",
        UpdateRollbackComplete = "UPDATE_ROLLBACK_COMPLETE",
        UpdateRollbackFailed = "UPDATE_ROLLBACK_FAILED", RollbackInProgress = "ROLLBACK_IN_PROGRESS",
        RollbackComplete = "ROLLBACK_COMPLETE", RollbackFailed = "ROLLBACK_FAILED",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackEvent {
    pub stack: StackUuid,
    /// Counts from 0 within the stack.
    pub number: u64,
    pub id: EventId,
    /// The stack's name for an event of the stack itself.
    pub logical_id: LogicalId,
    /// The stack's ARN for an event of the stack itself; empty if the resource was not created.
    pub physical_id: PhysicalId,
    pub type_name: TypeName,
    pub status: ResourceStatus,
    pub reason: Option<String>,
    pub token: Option<ClientRequestToken>,
    pub at: Timestamp,
}
row!(StackEvent, "cloudformation_event", |r| format!("{}/{:010}", r.stack, r.number));

/// The number of a stack's events so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventCount {
    pub stack: StackUuid,
    pub events: u64,
}
row!(EventCount, "cloudformation_event_count", |r| r.stack.to_string());

//! AWS's statuses for phases and states.

use crate::choices::{ChangeSetStatus, ExecutionStatus, StackStatus};
use escale_tables::cloudformation::{
    ChangeSet, ChangeSetPhase, Phase, ResourceState, ResourceStatus, StackResource,
};

pub(crate) fn stack(phase: Phase) -> StackStatus {
    match phase {
        Phase::Review => StackStatus::ReviewInProgress,
        Phase::Creating => StackStatus::CreateInProgress,
        Phase::Created => StackStatus::CreateComplete,
        Phase::CreateFailed => StackStatus::CreateFailed,
        Phase::RollingBack => StackStatus::RollbackInProgress,
        Phase::RolledBack => StackStatus::RollbackComplete,
        Phase::RollbackFailed => StackStatus::RollbackFailed,
        Phase::Updating => StackStatus::UpdateInProgress,
        Phase::UpdateCleanup => StackStatus::UpdateCompleteCleanupInProgress,
        Phase::Updated => StackStatus::UpdateComplete,
        Phase::UpdateFailed => StackStatus::UpdateFailed,
        Phase::UpdateRollingBack => StackStatus::UpdateRollbackInProgress,
        Phase::UpdateRollbackFailed => StackStatus::UpdateRollbackFailed,
        Phase::UpdateRollbackCleanup => StackStatus::UpdateRollbackCompleteCleanupInProgress,
        Phase::UpdateRolledBack => StackStatus::UpdateRollbackComplete,
        Phase::Importing => StackStatus::ImportInProgress,
        Phase::Imported => StackStatus::ImportComplete,
        Phase::ImportRolledBack => StackStatus::ImportRollbackComplete,
        Phase::Deleting => StackStatus::DeleteInProgress,
        Phase::DeleteFailed => StackStatus::DeleteFailed,
        Phase::Deleted => StackStatus::DeleteComplete,
    }
}

/// The same status, for the event of the stack itself.
pub(crate) fn stack_event(phase: Phase) -> ResourceStatus {
    match phase {
        Phase::Review => ResourceStatus::ReviewInProgress,
        Phase::Creating => ResourceStatus::CreateInProgress,
        Phase::Created => ResourceStatus::CreateComplete,
        Phase::CreateFailed => ResourceStatus::CreateFailed,
        Phase::RollingBack => ResourceStatus::RollbackInProgress,
        Phase::RolledBack => ResourceStatus::RollbackComplete,
        Phase::RollbackFailed => ResourceStatus::RollbackFailed,
        Phase::Updating => ResourceStatus::UpdateInProgress,
        Phase::UpdateCleanup => ResourceStatus::UpdateCompleteCleanupInProgress,
        Phase::Updated => ResourceStatus::UpdateComplete,
        Phase::UpdateFailed => ResourceStatus::UpdateFailed,
        Phase::UpdateRollingBack => ResourceStatus::UpdateRollbackInProgress,
        Phase::UpdateRollbackFailed => ResourceStatus::UpdateRollbackFailed,
        Phase::UpdateRollbackCleanup => ResourceStatus::UpdateRollbackCompleteCleanupInProgress,
        Phase::UpdateRolledBack => ResourceStatus::UpdateRollbackComplete,
        Phase::Importing => ResourceStatus::ImportInProgress,
        Phase::Imported => ResourceStatus::ImportComplete,
        Phase::ImportRolledBack => ResourceStatus::ImportRollbackComplete,
        Phase::Deleting => ResourceStatus::DeleteInProgress,
        Phase::DeleteFailed => ResourceStatus::DeleteFailed,
        Phase::Deleted => ResourceStatus::DeleteComplete,
    }
}

/// `None` for a resource whose creation has not started: AWS does not list it.
pub(crate) fn resource(state: ResourceState) -> Option<ResourceStatus> {
    Some(match state {
        ResourceState::Waiting => return None,
        ResourceState::Creating => ResourceStatus::CreateInProgress,
        ResourceState::Created => ResourceStatus::CreateComplete,
        ResourceState::CreateFailed => ResourceStatus::CreateFailed,
        ResourceState::Updating => ResourceStatus::UpdateInProgress,
        ResourceState::Updated => ResourceStatus::UpdateComplete,
        ResourceState::UpdateFailed => ResourceStatus::UpdateFailed,
        ResourceState::Imported => ResourceStatus::ImportComplete,
        ResourceState::Deleting { .. } => ResourceStatus::DeleteInProgress,
        ResourceState::Deleted => ResourceStatus::DeleteComplete,
        ResourceState::DeleteFailed => ResourceStatus::DeleteFailed,
        ResourceState::Retained => ResourceStatus::DeleteSkipped,
    })
}

/// The status reason of a resource: what it waits for now, or else the reason of its last event.
pub(crate) fn why(row: &StackResource) -> Option<String> {
    row.waiting_for.clone().or_else(|| row.reason.clone())
}

/// Status and execution status.
pub(crate) fn change_set(row: &ChangeSet) -> (ChangeSetStatus, ExecutionStatus) {
    match row.phase {
        ChangeSetPhase::Available => (ChangeSetStatus::CreateComplete, ExecutionStatus::Available),
        ChangeSetPhase::Failed(_) => (ChangeSetStatus::Failed, ExecutionStatus::Unavailable),
        ChangeSetPhase::Executed => (ChangeSetStatus::CreateComplete, ExecutionStatus::ExecuteComplete),
    }
}

//! AWS's words for phases and states.

use escale_tables::cloudformation::{ChangeSet, ChangeSetPhase, Phase, ResourceState, StackResource};

pub(crate) fn stack(phase: Phase) -> &'static str {
    match phase {
        Phase::Review => "REVIEW_IN_PROGRESS",
        Phase::Creating => "CREATE_IN_PROGRESS",
        Phase::Created => "CREATE_COMPLETE",
        Phase::CreateFailed => "CREATE_FAILED",
        Phase::RollingBack => "ROLLBACK_IN_PROGRESS",
        Phase::RolledBack => "ROLLBACK_COMPLETE",
        Phase::RollbackFailed => "ROLLBACK_FAILED",
        Phase::Deleting => "DELETE_IN_PROGRESS",
        Phase::DeleteFailed => "DELETE_FAILED",
        Phase::Deleted => "DELETE_COMPLETE",
    }
}

/// `None` for a resource that was never begun: AWS does not list it.
pub(crate) fn resource(state: ResourceState) -> Option<&'static str> {
    Some(match state {
        ResourceState::Waiting => return None,
        ResourceState::Creating => "CREATE_IN_PROGRESS",
        ResourceState::Created => "CREATE_COMPLETE",
        ResourceState::CreateFailed => "CREATE_FAILED",
        ResourceState::Deleting { .. } => "DELETE_IN_PROGRESS",
        ResourceState::Deleted => "DELETE_COMPLETE",
        ResourceState::DeleteFailed => "DELETE_FAILED",
        ResourceState::Retained => "DELETE_SKIPPED",
    })
}

/// Why a resource is where it is: what it waits for now, or else what its last event said.
pub(crate) fn why(row: &StackResource) -> Option<String> {
    row.waiting_for.clone().or_else(|| row.reason.clone())
}

/// Status and execution status.
pub(crate) fn change_set(row: &ChangeSet) -> (&'static str, &'static str) {
    match row.phase {
        ChangeSetPhase::Available => ("CREATE_COMPLETE", "AVAILABLE"),
        ChangeSetPhase::Failed(_) => ("FAILED", "UNAVAILABLE"),
        ChangeSetPhase::Executed => ("CREATE_COMPLETE", "EXECUTE_COMPLETE"),
    }
}

//! AWS's enumerations that no row stores.

use escale_base::choice;

choice! {
    pub(crate) enum ChangeAction {
        Add = "Add", Modify = "Modify", Remove = "Remove", Import = "Import", Dynamic = "Dynamic",
        SyncWithActual = "SyncWithActual",
    }
}
choice! {
    pub(crate) enum ChangeSetStatus {
        CreatePending = "CREATE_PENDING", CreateInProgress = "CREATE_IN_PROGRESS",
        CreateComplete = "CREATE_COMPLETE", DeletePending = "DELETE_PENDING",
        DeleteInProgress = "DELETE_IN_PROGRESS", DeleteComplete = "DELETE_COMPLETE",
        DeleteFailed = "DELETE_FAILED", Failed = "FAILED",
    }
}
choice! { pub(crate) enum ChangeSetType { Create = "CREATE", Update = "UPDATE", Import = "IMPORT" } }
choice! { pub(crate) enum ChangeType { Resource = "Resource" } }
choice! {
    pub(crate) enum DeletionMode { Standard = "STANDARD", ForceDeleteStack = "FORCE_DELETE_STACK" }
}
choice! {
    pub(crate) enum DetectionStatus {
        InProgress = "DETECTION_IN_PROGRESS", Failed = "DETECTION_FAILED", Complete = "DETECTION_COMPLETE",
    }
}
choice! {
    pub(crate) enum ExecutionStatus {
        Unavailable = "UNAVAILABLE", Available = "AVAILABLE", ExecuteInProgress = "EXECUTE_IN_PROGRESS",
        ExecuteComplete = "EXECUTE_COMPLETE", ExecuteFailed = "EXECUTE_FAILED", Obsolete = "OBSOLETE",
    }
}
choice! {
    pub(crate) enum ResourceAttribute {
        Properties = "Properties", Metadata = "Metadata", CreationPolicy = "CreationPolicy",
        UpdatePolicy = "UpdatePolicy", DeletionPolicy = "DeletionPolicy",
        UpdateReplacePolicy = "UpdateReplacePolicy", Tags = "Tags",
    }
}
choice! {
    pub(crate) enum StackDriftStatus {
        Drifted = "DRIFTED", InSync = "IN_SYNC", Unknown = "UNKNOWN", NotChecked = "NOT_CHECKED",
    }
}
choice! {
    pub(crate) enum StackResourceDriftStatus {
        InSync = "IN_SYNC", Modified = "MODIFIED", Deleted = "DELETED", NotChecked = "NOT_CHECKED",
        Unknown = "UNKNOWN", Unsupported = "UNSUPPORTED",
    }
}
choice! {
    pub(crate) enum StackStatus {
        CreateInProgress = "CREATE_IN_PROGRESS", CreateFailed = "CREATE_FAILED",
        CreateComplete = "CREATE_COMPLETE", RollbackInProgress = "ROLLBACK_IN_PROGRESS",
        RollbackFailed = "ROLLBACK_FAILED", RollbackComplete = "ROLLBACK_COMPLETE",
        DeleteInProgress = "DELETE_IN_PROGRESS", DeleteFailed = "DELETE_FAILED",
        DeleteComplete = "DELETE_COMPLETE", UpdateInProgress = "UPDATE_IN_PROGRESS",
        UpdateCompleteCleanupInProgress = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        UpdateComplete = "UPDATE_COMPLETE", UpdateFailed = "UPDATE_FAILED",
        UpdateRollbackInProgress = "UPDATE_ROLLBACK_IN_PROGRESS",
        UpdateRollbackFailed = "UPDATE_ROLLBACK_FAILED",
        UpdateRollbackCompleteCleanupInProgress = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        UpdateRollbackComplete = "UPDATE_ROLLBACK_COMPLETE", ReviewInProgress = "REVIEW_IN_PROGRESS",
        ImportInProgress = "IMPORT_IN_PROGRESS", ImportComplete = "IMPORT_COMPLETE",
        ImportRollbackInProgress = "IMPORT_ROLLBACK_IN_PROGRESS",
        ImportRollbackFailed = "IMPORT_ROLLBACK_FAILED",
        ImportRollbackComplete = "IMPORT_ROLLBACK_COMPLETE",
    }
}
choice! { pub(crate) enum DeploymentConfigMode { Standard = "STANDARD", Express = "EXPRESS" } }
choice! { pub(crate) enum TemplateStage { Original = "Original", Processed = "Processed" } }
choice! { pub(crate) enum EvaluationType { Static = "Static", Dynamic = "Dynamic" } }
choice! { pub(crate) enum ReplacementShape { True = "True", False = "False", Conditional = "Conditional" } }
choice! {
    pub(crate) enum RequiresRecreation {
        Never = "Never", Conditionally = "Conditionally", Always = "Always",
    }
}
choice! {
    pub(crate) enum ChangeSource {
        ResourceReference = "ResourceReference", ParameterReference = "ParameterReference",
        ResourceAttribute = "ResourceAttribute", DirectModification = "DirectModification",
        Automatic = "Automatic", NoModification = "NoModification",
    }
}
choice! {
    pub(crate) enum AttributeChangeType {
        Add = "Add", Remove = "Remove", Modify = "Modify", SyncWithActual = "SyncWithActual",
    }
}
choice! {
    pub(crate) enum PolicyAction {
        Delete = "Delete", Retain = "Retain", Snapshot = "Snapshot", ReplaceAndDelete = "ReplaceAndDelete",
        ReplaceAndRetain = "ReplaceAndRetain", ReplaceAndSnapshot = "ReplaceAndSnapshot",
    }
}

//! Choices that are not stored, in AWS's words.

use escale_base::choice;

choice! {
    pub(crate) enum EvalDecision {
        Allowed = "allowed", ExplicitDeny = "explicitDeny", ImplicitDeny = "implicitDeny",
    }
}
choice! {
    pub(crate) enum PolicyUsageType {
        PermissionsPolicy = "PermissionsPolicy", PermissionsBoundary = "PermissionsBoundary",
    }
}
choice! {
    pub(crate) enum EntityType {
        User = "User", Role = "Role", Group = "Group", LocalManagedPolicy = "LocalManagedPolicy",
        AWSManagedPolicy = "AWSManagedPolicy",
    }
}
choice! {
    /// An access key's; `Expired` is that of other credentials.
    pub(crate) enum KeyStatus { Active = "Active", Inactive = "Inactive" }
}

//! Enumerations of AWS's API whose values are not stored.

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
    /// The status of an access key. `Expired` in AWS's model belongs to other credentials.
    pub(crate) enum KeyStatus { Active = "Active", Inactive = "Inactive" }
}

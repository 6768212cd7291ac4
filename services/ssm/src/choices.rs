//! AWS's enumerations that are not stored.

use escale_base::choice;

choice! {
    pub(crate) enum ResourceTypeForTagging {
        Document = "Document", ManagedInstance = "ManagedInstance",
        MaintenanceWindow = "MaintenanceWindow", Parameter = "Parameter", PatchBaseline = "PatchBaseline",
        OpsItem = "OpsItem", OpsMetadata = "OpsMetadata", Automation = "Automation",
        Association = "Association",
    }
}
choice! {
    pub(crate) enum ParameterTier {
        Standard = "Standard", Advanced = "Advanced", IntelligentTiering = "Intelligent-Tiering",
    }
}
choice! { pub(crate) enum ParametersFilterKey { Name = "Name", Type = "Type", KeyId = "KeyId" } }

//! AWS's enumerations that are not stored.

use escale_base::choice;

choice! {
    pub(crate) enum FilterKey {
        Description = "description", Name = "name", TagKey = "tag-key", TagValue = "tag-value",
        PrimaryRegion = "primary-region", OwningService = "owning-service", All = "all",
    }
}

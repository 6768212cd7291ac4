//! AWS's enumerations that are not stored.

use escale_base::choice;

choice! {
    pub(crate) enum ClassInput {
        Standard = "STANDARD", InfrequentAccess = "INFREQUENT_ACCESS", Delivery = "DELIVERY",
    }
}
choice! { pub(crate) enum OrderBy { LogStreamName = "LogStreamName", LastEventTime = "LastEventTime" } }

//! AWS's status of changes, from the desired and the observed state.

use escale_store::Image;
use escale_tables::route53::{Change, DnsApplied};

escale_base::choice! {
    pub(crate) enum ChangeStatus { Pending = "PENDING", InSync = "INSYNC" }
}

/// A change is in sync once the DNS plane answers with it.
pub(crate) fn change(image: &Image, change: &Change) -> ChangeStatus {
    let applied = image.get::<DnsApplied>(DnsApplied::KEY).map_or(0, |a| a.sequence);
    if applied >= change.sequence { ChangeStatus::InSync } else { ChangeStatus::Pending }
}

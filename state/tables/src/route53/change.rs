//! Changes, for `GetChange`.

use crate::row;
use escale_base::{Timestamp, ids};
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// `C` and 19 letters and digits.
    ChangeId;
}

/// An accepted change. It is in sync once [`super::DnsApplied::sequence`] reaches its `sequence`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub id: ChangeId,
    pub sequence: u64,
    pub comment: Option<String>,
    pub submitted: Timestamp,
}
row!(Change, "route53_change", |r| r.id.to_string());

impl Change {
    pub fn random_id() -> ChangeId {
        ChangeId(format!("C{}", ids::random_upper(19)))
    }
}

/// Numbers changes in the order of acceptance. One row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChangeCounter {
    pub last: u64,
}
row!(ChangeCounter, "route53_change_counter", |_r| ChangeCounter::KEY.to_owned());

impl ChangeCounter {
    pub const KEY: &'static str = "last";
}

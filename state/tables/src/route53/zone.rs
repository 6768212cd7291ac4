//! Hosted zones.

use crate::{ec2::VpcId, row};
use escale_base::{Tag, Timestamp, ids};
use serde::{Deserialize, Serialize};

/// `Z` and 19 letters and digits.
pub type HostedZoneId = String;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostedZone {
    pub id: HostedZoneId,
    /// Lower case, with a final dot, unusual bytes as `\ooo`.
    pub name: String,
    pub caller_reference: String,
    pub comment: Option<String>,
    /// Only the resolvers of [`HostedZone::vpcs`] answer it.
    pub private: bool,
    pub vpcs: Vec<VpcId>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(HostedZone, "route53_zone", |r| r.id.clone());

impl HostedZone {
    pub fn random_id() -> HostedZoneId {
        format!("Z{}", ids::random_upper(19))
    }
}

//! Hosted zones.

use crate::{ServicePrincipal, ec2::VpcId, row};
use escale_base::{Tag, Timestamp, ids};
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// `Z` and 19 letters and digits.
    HostedZoneId;
    /// A domain name: lower case, with a final dot, unusual bytes as `\ooo`. A wildcard begins with `\052`.
    CanonicalName;
    /// The client's mark for one request, which its retries share.
    CallerReference;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostedZone {
    pub id: HostedZoneId,
    pub name: CanonicalName,
    pub caller_reference: CallerReference,
    pub comment: Option<String>,
    /// Only the resolvers of [`HostedZone::vpcs`] answer it.
    pub private: bool,
    pub vpcs: Vec<VpcId>,
    pub tags: Vec<Tag>,
    /// The service that created the zone. Only that service may change it.
    #[serde(default)]
    pub linked_service: Option<ServicePrincipal>,
    pub created: Timestamp,
}
row!(HostedZone, "route53_zone", |r| r.id.to_string());

impl HostedZone {
    pub fn random_id() -> HostedZoneId {
        HostedZoneId(format!("Z{}", ids::random_upper(19)))
    }
}

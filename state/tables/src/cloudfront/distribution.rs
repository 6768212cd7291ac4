//! Distributions and invalidations.

use super::{CallerReference, DistributionConfig, DistributionHost};
use crate::{Fingerprint, acm::Material, row};
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// `E` and 13 upper-case characters.
    DistributionId;
    /// `I` and 13 upper-case characters.
    InvalidationId;
    /// The version of a resource. It changes with each update.
    ETag;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    pub id: DistributionId,
    pub domain_name: DistributionHost,
    pub config: DistributionConfig,
    pub etag: ETag,
    pub tags: Vec<Tag>,
    pub modified: Timestamp,
}
row!(Distribution, "cloudfront_distribution", |r| r.id.to_string());

/// The observed state of a distribution in the cdn plane, in this run of the daemon. The rows are deleted at its start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DistributionSeen {
    pub id: DistributionId,
    /// The ETag of the version that the plane serves; `None` if it has not accepted any yet.
    pub etag: Option<ETag>,
    /// The fingerprint of the specification, which includes keys and access controls; `None` while disabled.
    pub applied: Option<Fingerprint>,
    /// The error of the last attempt.
    pub fault: Option<String>,
    pub at: Timestamp,
}
row!(DistributionSeen, "cloudfront_distribution_seen", |r| r.id.to_string());

/// The certificate of a distribution's own name, issued by the installation's authority.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EdgeCertificate {
    pub distribution: DistributionId,
    pub names: Vec<String>,
    pub material: Material,
}
row!(EdgeCertificate, "cloudfront_edge_certificate", |r| r.distribution.to_string());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Invalidation {
    pub distribution: DistributionId,
    pub id: InvalidationId,
    pub paths: Vec<String>,
    pub caller_reference: CallerReference,
    pub created: Timestamp,
}
row!(Invalidation, "cloudfront_invalidation", |r| Invalidation::key_of(&r.distribution, &r.id));

impl Invalidation {
    pub fn key_of(distribution: &DistributionId, id: &InvalidationId) -> String {
        format!("{distribution}/{id}")
    }
}

/// The plane has removed the invalidation's paths from its cache.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InvalidationSeen {
    pub distribution: DistributionId,
    pub id: InvalidationId,
    pub at: Timestamp,
}
row!(InvalidationSeen, "cloudfront_invalidation_seen", |r| Invalidation::key_of(&r.distribution, &r.id));

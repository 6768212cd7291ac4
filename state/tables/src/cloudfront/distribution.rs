//! Distributions and invalidations.

use super::DistributionConfig;
use crate::row;
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// `E` and 13 upper-case characters.
    pub id: String,
    pub domain_name: String,
    pub config: DistributionConfig,
    /// Changes with each update.
    pub etag: String,
    pub tags: Vec<Tag>,
    pub modified: Timestamp,
}
row!(Distribution, "cloudfront_distribution", |r| r.id.clone());

/// The observed state of a distribution in the cdn plane, in this run of the daemon. The rows are deleted at its start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DistributionSeen {
    pub id: String,
    /// The ETag of the version that the plane serves; `None` if it has not accepted any yet.
    pub etag: Option<String>,
    /// The fingerprint of the specification, which includes keys and access controls; `None` while disabled.
    pub applied: Option<String>,
    /// The error of the last attempt.
    pub fault: Option<String>,
    pub at: Timestamp,
}
row!(DistributionSeen, "cloudfront_distribution_seen", |r| r.id.clone());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Invalidation {
    pub distribution: String,
    /// `I` and 13 upper-case characters.
    pub id: String,
    pub paths: Vec<String>,
    pub caller_reference: String,
    pub created: Timestamp,
}
row!(Invalidation, "cloudfront_invalidation", |r| format!("{}/{}", r.distribution, r.id));

/// The plane has removed the invalidation's paths from its cache.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InvalidationSeen {
    pub distribution: String,
    pub id: String,
    pub at: Timestamp,
}
row!(InvalidationSeen, "cloudfront_invalidation_seen", |r| format!("{}/{}", r.distribution, r.id));

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
    /// Another one with each change.
    pub etag: String,
    pub tags: Vec<Tag>,
    pub modified: Timestamp,
}
row!(Distribution, "cloudfront_distribution", |r| r.id.clone());

/// What the cdn plane made of a distribution in this run of the daemon: the rows are deleted at its start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DistributionSeen {
    pub id: String,
    /// The ETag of the distribution that the plane has; `None` when it has none.
    pub etag: Option<String>,
    /// Fingerprint of the specification, with all that the distribution leans on.
    pub applied: Option<String>,
    /// Why the last try did not come about.
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

/// The plane has dropped what the invalidation names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InvalidationSeen {
    pub distribution: String,
    pub id: String,
    pub at: Timestamp,
}
row!(InvalidationSeen, "cloudfront_invalidation_seen", |r| format!("{}/{}", r.distribution, r.id));

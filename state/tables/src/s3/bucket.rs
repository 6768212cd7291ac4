//! Buckets.

use crate::row;
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};

escale_base::choice! {
    /// Whether puts and deletes keep what was there.
    pub enum Versioning { Off = "Off", Enabled = "Enabled", Suspended = "Suspended" }
}

/// What is refused or ignored because it would make a bucket public.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicAccessBlock {
    pub block_public_acls: bool,
    pub ignore_public_acls: bool,
    pub block_public_policy: bool,
    pub restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    /// What a new bucket has.
    pub const ALL: PublicAccessBlock = PublicAccessBlock {
        block_public_acls: true,
        ignore_public_acls: true,
        block_public_policy: true,
        restrict_public_buckets: true,
    };
}

/// A bucket as asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    pub name: String,
    pub created: Timestamp,
    pub versioning: Versioning,
    /// The JSON document, as it was put.
    pub policy: Option<String>,
    pub public_access_block: Option<PublicAccessBlock>,
    pub tags: Vec<Tag>,
    /// Recorded: `BucketKeyEnabled` of the default encryption.
    pub bucket_key: bool,
    /// It is to go as soon as it is found empty, and to stay if it is not.
    pub deleting: bool,
}
row!(Bucket, "s3_bucket", |r| r.name.clone());

/// What became of the wish to delete a bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketSeen {
    pub name: String,
    /// Why the bucket stayed.
    pub not_deleted: String,
    pub at: Timestamp,
}
row!(BucketSeen, "s3_bucket_seen", |r| r.name.clone());

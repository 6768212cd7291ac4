//! Buckets.

use super::{AccessLogging, CorsRule, Grant, Lifecycle, ObjectOwnership, Website};
use crate::row;
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};

escale_base::choice! {
    /// Whether puts and deletes keep earlier versions of an object.
    pub enum Versioning { Off = "Off", Enabled = "Enabled", Suspended = "Suspended" }
}

escale_base::choice! {
    /// The encryption of a bucket's objects, which is stored and shown without effect.
    pub enum DefaultEncryption { Aes256 = "AES256", AwsKms = "aws:kms" }
}

impl Default for DefaultEncryption {
    /// The encryption of a new bucket.
    fn default() -> DefaultEncryption {
        DefaultEncryption::Aes256
    }
}

/// The settings that prevent public access to a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicAccessBlock {
    pub block_public_acls: bool,
    pub ignore_public_acls: bool,
    pub block_public_policy: bool,
    pub restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    /// The settings of a new bucket.
    pub const ALL: PublicAccessBlock = PublicAccessBlock {
        block_public_acls: true,
        ignore_public_acls: true,
        block_public_policy: true,
        restrict_public_buckets: true,
    };
}

escale_base::name! {
    /// A bucket's name, unique in the account.
    BucketName;
}

/// A bucket as it was requested.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    pub name: BucketName,
    pub created: Timestamp,
    pub versioning: Versioning,
    /// The JSON document as it was put.
    pub policy: Option<String>,
    pub public_access_block: Option<PublicAccessBlock>,
    pub tags: Vec<Tag>,
    #[serde(default)]
    pub encryption: DefaultEncryption,
    /// The name by which a request selected the key that AWS manages, if it did.
    #[serde(default)]
    pub kms_key: Option<String>,
    /// `BucketKeyEnabled` of the default encryption, which is stored and shown without effect.
    pub bucket_key: bool,
    /// The rules for web pages of other origins; the first one that matches a request applies.
    #[serde(default)]
    pub cors: Option<Vec<CorsRule>>,
    #[serde(default)]
    pub lifecycle: Option<Lifecycle>,
    #[serde(default)]
    pub website: Option<Website>,
    #[serde(default)]
    pub logging: Option<AccessLogging>,
    #[serde(default)]
    pub ownership: ObjectOwnership,
    #[serde(default)]
    pub acl: Vec<Grant>,
    /// A deletion is in progress: the reconciler deletes the bucket if it is empty and clears this mark if it is not.
    pub deleting: bool,
}
impl Bucket {
    /// A bucket with the settings that AWS gives a new one.
    pub fn new(name: BucketName, created: Timestamp) -> Bucket {
        Bucket {
            name,
            created,
            versioning: Versioning::Off,
            policy: None,
            public_access_block: Some(PublicAccessBlock::ALL),
            tags: Vec::new(),
            encryption: DefaultEncryption::default(),
            kms_key: None,
            bucket_key: false,
            cors: None,
            lifecycle: None,
            website: None,
            logging: None,
            ownership: ObjectOwnership::default(),
            acl: Vec::new(),
            deleting: false,
        }
    }
}
row!(Bucket, "s3_bucket", |r| r.name.to_string());

/// The result of a failed deletion of a bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketSeen {
    pub name: BucketName,
    /// The reason why the bucket was kept.
    pub not_deleted: String,
    pub at: Timestamp,
}
row!(BucketSeen, "s3_bucket_seen", |r| r.name.to_string());

//! Requests to S3.

use crate::requests;
use escale_base::Wire;

/// The body of the object goes beside the request: [`escale_service::request_with_body`].
#[derive(Debug, Wire)]
pub struct PutObject {
    pub bucket: String,
    pub key: String,
    /// A canned ACL.
    #[wire("ACL")]
    pub acl: Option<String>,
}

#[derive(Debug, Wire)]
pub struct GetBucketPolicy {
    pub bucket: String,
}

#[derive(Debug, Wire)]
pub struct BucketPolicy {
    pub policy: String,
}

#[derive(Debug, Wire)]
pub struct PutBucketPolicy {
    pub bucket: String,
    pub policy: String,
}

#[derive(Debug, Wire)]
pub struct Put {
    pub e_tag: String,
}

requests! { "s3"; GetBucketPolicy => BucketPolicy, PutBucketPolicy => (), PutObject => Put }

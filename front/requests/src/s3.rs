//! Requests to S3.

use crate::requests;
use escale_base::Wire;

/// The body of the object goes beside the request: [`escale_service::request_with_body`].
#[derive(Debug, Wire)]
pub struct PutObject {
    pub bucket: String,
    pub key: String,
}

#[derive(Debug, Wire)]
pub struct Put {
    pub e_tag: String,
}

requests! { "s3"; PutObject => Put }

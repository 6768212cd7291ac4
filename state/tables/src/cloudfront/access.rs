//! Access of distributions to their origins, and of viewers to distributions. The configurations have AWS's shape, because
//! they are returned as they were sent.

use super::{OriginAccessControlOriginType, SigningBehavior, SigningProtocol};
use crate::row;
use escale_base::{Timestamp, Wire};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct OriginAccessControlConfig {
    pub name: String,
    pub description: Option<String>,
    pub signing_protocol: SigningProtocol,
    pub signing_behavior: SigningBehavior,
    pub origin_access_control_origin_type: OriginAccessControlOriginType,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OriginAccessControl {
    pub id: String,
    pub config: OriginAccessControlConfig,
    pub etag: String,
    pub modified: Timestamp,
}
row!(OriginAccessControl, "cloudfront_origin_access_control", |r| r.id.clone());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct PublicKeyConfig {
    pub caller_reference: String,
    pub name: String,
    /// PEM.
    pub encoded_key: String,
    pub comment: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PublicKey {
    pub id: String,
    pub config: PublicKeyConfig,
    pub etag: String,
    /// The time of the creation: only the comment of a key can change.
    pub modified: Timestamp,
}
row!(PublicKey, "cloudfront_public_key", |r| r.id.clone());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct KeyGroupConfig {
    pub name: String,
    /// Ids of public keys.
    pub items: Vec<String>,
    pub comment: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyGroup {
    pub id: String,
    pub config: KeyGroupConfig,
    pub etag: String,
    pub modified: Timestamp,
}
row!(KeyGroup, "cloudfront_key_group", |r| r.id.clone());

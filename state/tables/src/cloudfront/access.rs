//! Access of distributions to their origins, and of viewers to distributions. The configurations have AWS's shape, because
//! they are returned as they were sent.

use super::{CallerReference, ETag, OriginAccessControlOriginType, SigningBehavior, SigningProtocol};
use crate::row;
use escale_base::{Timestamp, Wire};
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// `E` and 13 upper-case characters.
    OriginAccessControlId;
    OriginAccessControlName;
    /// `K` and 13 upper-case characters.
    PublicKeyId;
    PublicKeyName;
    /// A UUID.
    KeyGroupId;
    KeyGroupName;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct OriginAccessControlConfig {
    pub name: OriginAccessControlName,
    pub description: Option<String>,
    pub signing_protocol: SigningProtocol,
    pub signing_behavior: SigningBehavior,
    pub origin_access_control_origin_type: OriginAccessControlOriginType,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OriginAccessControl {
    pub id: OriginAccessControlId,
    pub config: OriginAccessControlConfig,
    pub etag: ETag,
    pub modified: Timestamp,
}
row!(OriginAccessControl, "cloudfront_origin_access_control", |r| r.id.to_string());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct PublicKeyConfig {
    pub caller_reference: CallerReference,
    pub name: PublicKeyName,
    /// PEM.
    pub encoded_key: String,
    pub comment: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PublicKey {
    pub id: PublicKeyId,
    pub config: PublicKeyConfig,
    pub etag: ETag,
    /// The time of the creation: only the comment of a key can change.
    pub modified: Timestamp,
}
row!(PublicKey, "cloudfront_public_key", |r| r.id.to_string());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct KeyGroupConfig {
    pub name: KeyGroupName,
    pub items: Vec<PublicKeyId>,
    pub comment: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyGroup {
    pub id: KeyGroupId,
    pub config: KeyGroupConfig,
    pub etag: ETag,
    pub modified: Timestamp,
}
row!(KeyGroup, "cloudfront_key_group", |r| r.id.to_string());

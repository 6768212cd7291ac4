//! Policies that cache behaviours share, and origin access identities. The configurations have AWS's shape, because they are
//! returned as they were sent.
//!
//! Sources: <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CachePolicyConfig.html>,
//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_OriginRequestPolicyConfig.html>,
//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ResponseHeadersPolicyConfig.html>

use super::{
    CachePolicyId, CallerReference, ETag, FrameOption, HeaderName, Items, KeyHeaderSelection,
    OriginHeaderSelection, OriginRequestPolicyId, ReferrerPolicyValue, ResponseHeadersPolicyId, Selection,
};
use crate::row;
use escale_base::{Timestamp, Wire};
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// A policy's name, unique among the account's policies of its kind.
    PolicyName;
    CookieName;
    /// The name of a parameter in a query string.
    ParameterName;
    /// `E` and 13 upper-case characters.
    OriginAccessIdentityId;
    /// The id by which bucket policies name an identity: 96 hexadecimal digits.
    CanonicalUserId;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct CachePolicyConfig {
    pub comment: Option<String>,
    pub name: PolicyName,
    #[wire("DefaultTTL")]
    pub default_ttl: Option<u64>,
    #[wire("MaxTTL")]
    pub max_ttl: Option<u64>,
    #[wire("MinTTL")]
    pub min_ttl: u64,
    pub parameters_in_cache_key_and_forwarded_to_origin: Option<CacheKeyParameters>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct CacheKeyParameters {
    pub enable_accept_encoding_gzip: bool,
    pub enable_accept_encoding_brotli: Option<bool>,
    pub headers_config: KeyHeaders,
    pub cookies_config: Cookies,
    pub query_strings_config: QueryStrings,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct KeyHeaders {
    pub header_behavior: KeyHeaderSelection,
    pub headers: Option<Items<HeaderName>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct OriginHeaders {
    pub header_behavior: OriginHeaderSelection,
    pub headers: Option<Items<HeaderName>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct Cookies {
    pub cookie_behavior: Selection,
    pub cookies: Option<Items<CookieName>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct QueryStrings {
    pub query_string_behavior: Selection,
    pub query_strings: Option<Items<ParameterName>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct OriginRequestPolicyConfig {
    pub comment: Option<String>,
    pub name: PolicyName,
    pub headers_config: OriginHeaders,
    pub cookies_config: Cookies,
    pub query_strings_config: QueryStrings,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct ResponseHeadersPolicyConfig {
    pub comment: Option<String>,
    pub name: PolicyName,
    pub cors_config: Option<CorsConfig>,
    pub security_headers_config: Option<SecurityHeaders>,
    pub server_timing_headers_config: Option<ServerTiming>,
    pub custom_headers_config: Option<Items<SetHeader>>,
    pub remove_headers_config: Option<Items<RemoveHeader>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct CorsConfig {
    pub access_control_allow_origins: Items<String>,
    pub access_control_allow_headers: Items<String>,
    pub access_control_allow_methods: Items<super::CorsMethod>,
    pub access_control_allow_credentials: bool,
    pub access_control_expose_headers: Option<Items<String>>,
    pub access_control_max_age_sec: Option<u32>,
    pub origin_override: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Wire)]
pub struct SecurityHeaders {
    #[wire("XSSProtection")]
    pub xss_protection: Option<XssProtection>,
    pub frame_options: Option<FrameOptions>,
    pub referrer_policy: Option<ReferrerPolicy>,
    pub content_security_policy: Option<ContentSecurityPolicy>,
    pub content_type_options: Option<ContentTypeOptions>,
    pub strict_transport_security: Option<StrictTransportSecurity>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct XssProtection {
    pub r#override: bool,
    pub protection: bool,
    pub mode_block: Option<bool>,
    pub report_uri: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct FrameOptions {
    pub r#override: bool,
    pub frame_option: FrameOption,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct ReferrerPolicy {
    pub r#override: bool,
    pub referrer_policy: ReferrerPolicyValue,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct ContentSecurityPolicy {
    pub r#override: bool,
    pub content_security_policy: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct ContentTypeOptions {
    pub r#override: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct StrictTransportSecurity {
    pub r#override: bool,
    pub include_subdomains: Option<bool>,
    pub preload: Option<bool>,
    pub access_control_max_age_sec: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct ServerTiming {
    pub enabled: bool,
    pub sampling_rate: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct SetHeader {
    pub header: HeaderName,
    pub value: String,
    pub r#override: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct RemoveHeader {
    pub header: HeaderName,
}

/// Declares the row of one kind of policies.
macro_rules! policy {
    ($row:ident, $id:ty, $config:ty, $table:literal) => {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct $row {
            pub id: $id,
            pub config: $config,
            pub etag: ETag,
            pub modified: Timestamp,
        }
        row!($row, $table, |r| r.id.to_string());
    };
}
policy!(CachePolicy, CachePolicyId, CachePolicyConfig, "cloudfront_cache_policy");
policy!(
    OriginRequestPolicy,
    OriginRequestPolicyId,
    OriginRequestPolicyConfig,
    "cloudfront_origin_request_policy"
);
policy!(
    ResponseHeadersPolicy,
    ResponseHeadersPolicyId,
    ResponseHeadersPolicyConfig,
    "cloudfront_response_headers_policy"
);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct OriginAccessIdentityConfig {
    pub caller_reference: CallerReference,
    pub comment: String,
}

/// An identity under which distributions read from buckets, as a principal of bucket policies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OriginAccessIdentity {
    pub id: OriginAccessIdentityId,
    pub canonical_user: CanonicalUserId,
    pub config: OriginAccessIdentityConfig,
    pub etag: ETag,
}
row!(OriginAccessIdentity, "cloudfront_origin_access_identity", |r| r.id.to_string());

impl OriginAccessIdentity {
    /// The ARN by which bucket policies may name the identity instead of its canonical user id.
    pub fn arn(&self) -> String {
        format!("arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity {}", self.id)
    }
}

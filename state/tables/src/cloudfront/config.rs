//! A distribution's configuration in AWS's shape: clients get it back as they sent it, and send all of it to change a part.
//! Members of AWS's shape that are missing here are refused by name.
//!
//! Source: <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DistributionConfig.html>

use super::{
    CertificateSource, CookieName, GeoRestrictionType, HttpVersion, ItemSelection, KeyGroupId, Method,
    MinimumProtocolVersion, OriginAccessControlId, OriginProtocolPolicy, ParameterName, PriceClass,
    SelectionCriteria, SslProtocol, SslSupportMethod, ViewerProtocolPolicy,
};
use crate::acm::CertificateArn;
use escale_base::{
    Wire,
    wire::{Field, Map, ReadError, Value, member, structure},
};
use serde::{Deserialize, Serialize};

/// `{Quantity, Items}`: CloudFront's form of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Items<T>(pub Vec<T>);

impl<T> Default for Items<T> {
    fn default() -> Items<T> {
        Items(Vec::new())
    }
}

impl<T: Wire> Wire for Items<T> {
    const FIELDS: &'static [Field] = &[
        Field { name: "Quantity", open: false, choices: None, below: || &[] },
        Field { name: "Items", open: T::OPEN, choices: T::CHOICES, below: || T::FIELDS },
    ];
    fn read(value: &Value) -> Result<Items<T>, ReadError> {
        let object = structure(value)?;
        let (quantity, items): (Option<usize>, Vec<T>) =
            (member(object, "Quantity")?, member(object, "Items")?);
        match quantity {
            Some(n) if n != items.len() => {
                Err(ReadError::new(format!("Quantity is {n}, but there are {} Items", items.len())))
            }
            _ => Ok(Items(items)),
        }
    }
    fn write(&self) -> Value {
        let mut object = Map::from_iter([("Quantity".to_owned(), self.0.len().into())]);
        if !self.0.is_empty() {
            object.insert("Items".to_owned(), self.0.write());
        }
        Value::Object(object)
    }
}

escale_base::name! {
    /// The client's mark for one request, which its retries share.
    CallerReference;
    /// An origin's id in its distribution, which the client chooses.
    OriginId;
    /// The host name of an origin.
    OriginHost;
    /// A host name under which viewers may request a distribution, in addition to its own name.
    Alias;
    /// A UUID.
    CachePolicyId;
    /// A UUID.
    OriginRequestPolicyId;
    /// A UUID.
    ResponseHeadersPolicyId;
    /// The name of an HTTP header.
    HeaderName;
}

/// `{Enabled, Quantity, Items}`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Wire)]
pub struct Trusted<T: Wire> {
    pub enabled: bool,
    pub quantity: Option<usize>,
    pub items: Option<Vec<T>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct DistributionConfig {
    pub caller_reference: CallerReference,
    pub aliases: Option<Items<Alias>>,
    pub default_root_object: Option<String>,
    pub origins: Items<Origin>,
    pub origin_groups: Option<Items<OriginGroup>>,
    pub default_cache_behavior: DefaultCacheBehavior,
    pub cache_behaviors: Option<Items<CacheBehavior>>,
    pub custom_error_responses: Option<Items<CustomErrorResponse>>,
    pub comment: String,
    pub logging: Option<Logging>,
    pub price_class: Option<PriceClass>,
    pub enabled: bool,
    pub viewer_certificate: Option<ViewerCertificate>,
    pub restrictions: Option<Restrictions>,
    #[wire("WebACLId")]
    pub web_acl_id: Option<String>,
    pub http_version: Option<HttpVersion>,
    #[wire("IsIPV6Enabled")]
    pub is_ipv6_enabled: Option<bool>,
    pub continuous_deployment_policy_id: Option<String>,
    pub staging: Option<bool>,
}

impl DistributionConfig {
    /// All behaviours; the default one comes first.
    pub fn behaviours(&self) -> impl Iterator<Item = DefaultCacheBehavior> + '_ {
        let more = self.cache_behaviors.iter().flat_map(|list| &list.0).map(CacheBehavior::without_pattern);
        std::iter::once(self.default_cache_behavior.clone()).chain(more)
    }

    pub fn groups(&self) -> impl Iterator<Item = &OriginGroup> {
        self.origin_groups.iter().flat_map(|list| &list.0)
    }

    pub fn has_origin(&self, id: &OriginId) -> bool {
        self.origins.0.iter().any(|origin| origin.id == *id)
    }
}

/// An entry of a list that must be empty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unsupported;

impl Wire for Unsupported {
    const OPEN: bool = true;
    fn read(_: &Value) -> Result<Unsupported, ReadError> {
        Ok(Unsupported)
    }
    fn write(&self) -> Value {
        Value::Null
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct Origin {
    pub id: OriginId,
    pub domain_name: OriginHost,
    pub origin_path: Option<String>,
    pub custom_headers: Option<Items<CustomHeader>>,
    #[wire("S3OriginConfig")]
    pub s3_origin_config: Option<S3OriginConfig>,
    pub custom_origin_config: Option<CustomOriginConfig>,
    pub connection_attempts: Option<u32>,
    pub connection_timeout: Option<u32>,
    pub origin_shield: Option<OriginShield>,
    pub origin_access_control_id: Option<OriginAccessControlId>,
}

/// Two origins for the same content. Behaviours name it like an origin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct OriginGroup {
    pub id: OriginId,
    pub failover_criteria: FailoverCriteria,
    /// The first one is the primary origin.
    pub members: Items<GroupMember>,
    pub selection_criteria: Option<SelectionCriteria>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct FailoverCriteria {
    pub status_codes: Items<u16>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct GroupMember {
    pub origin_id: OriginId,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct CustomHeader {
    pub header_name: HeaderName,
    pub header_value: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct S3OriginConfig {
    pub origin_access_identity: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct CustomOriginConfig {
    #[wire("HTTPPort")]
    pub http_port: u16,
    #[wire("HTTPSPort")]
    pub https_port: u16,
    pub origin_protocol_policy: OriginProtocolPolicy,
    pub origin_ssl_protocols: Option<Items<SslProtocol>>,
    pub origin_read_timeout: Option<u32>,
    pub origin_keepalive_timeout: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct OriginShield {
    pub enabled: bool,
}

/// Declares both kinds of behaviours: one has a path pattern in addition.
macro_rules! behaviour {
    ($name:ident { $($first:tt)* }) => {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
        pub struct $name {
            $($first)*
            pub target_origin_id: OriginId,
            pub trusted_signers: Option<Trusted<String>>,
            pub trusted_key_groups: Option<Trusted<KeyGroupId>>,
            pub viewer_protocol_policy: ViewerProtocolPolicy,
            pub allowed_methods: Option<AllowedMethods>,
            pub smooth_streaming: Option<bool>,
            pub compress: Option<bool>,
            pub lambda_function_associations: Option<Items<Unsupported>>,
            pub function_associations: Option<Items<Unsupported>>,
            pub field_level_encryption_id: Option<String>,
            pub cache_policy_id: Option<CachePolicyId>,
            pub origin_request_policy_id: Option<OriginRequestPolicyId>,
            pub response_headers_policy_id: Option<ResponseHeadersPolicyId>,
            /// The legacy cache settings, instead of a cache policy: this and the three TTLs.
            pub forwarded_values: Option<ForwardedValues>,
            #[wire("MinTTL")]
            pub min_ttl: Option<u64>,
            #[wire("DefaultTTL")]
            pub default_ttl: Option<u64>,
            #[wire("MaxTTL")]
            pub max_ttl: Option<u64>,
        }
    };
}
behaviour!(DefaultCacheBehavior {});
behaviour!(CacheBehavior { pub path_pattern: String, });

impl CacheBehavior {
    pub fn without_pattern(&self) -> DefaultCacheBehavior {
        let b = self.clone();
        DefaultCacheBehavior {
            target_origin_id: b.target_origin_id,
            trusted_signers: b.trusted_signers,
            trusted_key_groups: b.trusted_key_groups,
            viewer_protocol_policy: b.viewer_protocol_policy,
            allowed_methods: b.allowed_methods,
            smooth_streaming: b.smooth_streaming,
            compress: b.compress,
            lambda_function_associations: b.lambda_function_associations,
            function_associations: b.function_associations,
            field_level_encryption_id: b.field_level_encryption_id,
            cache_policy_id: b.cache_policy_id,
            origin_request_policy_id: b.origin_request_policy_id,
            response_headers_policy_id: b.response_headers_policy_id,
            forwarded_values: b.forwarded_values,
            min_ttl: b.min_ttl,
            default_ttl: b.default_ttl,
            max_ttl: b.max_ttl,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct ForwardedValues {
    pub query_string: bool,
    pub cookies: CookiePreference,
    pub headers: Option<Items<HeaderName>>,
    pub query_string_cache_keys: Option<Items<ParameterName>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct CookiePreference {
    pub forward: ItemSelection,
    pub whitelisted_names: Option<Items<CookieName>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct AllowedMethods {
    pub quantity: Option<usize>,
    pub items: Vec<Method>,
    pub cached_methods: Option<Items<Method>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct CustomErrorResponse {
    pub error_code: u16,
    pub response_page_path: Option<String>,
    pub response_code: Option<String>,
    #[wire("ErrorCachingMinTTL")]
    pub error_caching_min_ttl: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct Logging {
    pub enabled: Option<bool>,
    pub include_cookies: Option<bool>,
    pub bucket: Option<String>,
    pub prefix: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct ViewerCertificate {
    pub cloud_front_default_certificate: Option<bool>,
    #[wire("ACMCertificateArn")]
    pub acm_certificate_arn: Option<CertificateArn>,
    #[wire("SSLSupportMethod")]
    pub ssl_support_method: Option<SslSupportMethod>,
    pub minimum_protocol_version: Option<MinimumProtocolVersion>,
    pub certificate_source: Option<CertificateSource>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct Restrictions {
    pub geo_restriction: GeoRestriction,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct GeoRestriction {
    pub restriction_type: GeoRestrictionType,
    pub quantity: Option<usize>,
    pub items: Option<Vec<String>>,
}

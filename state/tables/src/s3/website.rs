//! Website configurations of buckets, in AWS's shape: they are returned as they were put.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_WebsiteConfiguration.html>

use super::KeyPrefix;
use escale_base::Wire;
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// The key of an object.
    ObjectKey;
    /// The end that a website adds to the key of a folder: `index.html`.
    IndexSuffix;
    /// The host that a website redirects to, optionally with a port.
    RedirectHost;
}

escale_base::choice! { pub enum RedirectProtocol { Http = "http", Https = "https" } }

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Wire)]
pub struct Website {
    pub error_document: Option<ErrorDocument>,
    pub index_document: Option<IndexDocument>,
    pub redirect_all_requests_to: Option<RedirectAll>,
    pub routing_rules: Option<Vec<RoutingRule>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct ErrorDocument {
    pub key: ObjectKey,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct IndexDocument {
    pub suffix: IndexSuffix,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct RedirectAll {
    pub host_name: RedirectHost,
    pub protocol: Option<RedirectProtocol>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Wire)]
pub struct RoutingRule {
    pub condition: Option<RoutingCondition>,
    pub redirect: Redirect,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Wire)]
pub struct RoutingCondition {
    /// A status from 400 to 599.
    pub http_error_code_returned_equals: Option<String>,
    pub key_prefix_equals: Option<KeyPrefix>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Wire)]
pub struct Redirect {
    pub host_name: Option<RedirectHost>,
    /// A status from 301 to 399.
    pub http_redirect_code: Option<String>,
    pub protocol: Option<RedirectProtocol>,
    pub replace_key_prefix_with: Option<KeyPrefix>,
    pub replace_key_with: Option<ObjectKey>,
}

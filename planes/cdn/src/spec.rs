//! The complete interface of the plane, as plain data.

use escale_tls::TlsSpec;
pub use escale_tls::spec as tls;
use http::Method;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DistributionSpec {
    pub id: String,
    /// Hosts of the distribution; `*.example.com` matches one more label.
    pub hostnames: Vec<String>,
    /// The object for `/`, without a slash; for example `index.html`.
    pub default_root: Option<String>,
    /// The first one whose pattern matches the path applies.
    pub behaviours: Vec<(String, Behaviour)>,
    pub default: Behaviour,
    pub origins: Vec<Origin>,
    pub groups: Vec<OriginGroup>,
    pub errors: Vec<ErrorResponse>,
    /// Keeps records of its requests for [`crate::Cdn::take_log`].
    pub log: bool,
    /// For viewers that name one of the distribution's hosts in their handshake. `None`: no viewer can use HTTPS.
    pub tls: Option<TlsSpec>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Behaviour {
    /// The id of one of the origins or groups.
    pub origin: String,
    pub viewer: ViewerProtocol,
    #[serde(with = "methods")]
    pub allowed_methods: Vec<Method>,
    /// GET and HEAD, optionally OPTIONS.
    #[serde(with = "methods")]
    pub cached_methods: Vec<Method>,
    pub ttl: Ttl,
    /// The parts of a request that distinguish cached answers; all of them are forwarded.
    pub key: Selection,
    /// Additional parts that are forwarded.
    pub forward: Selection,
    /// The encodings that the origin is asked for if the viewer accepts them. Answers are cached for each combination.
    pub encodings: Encodings,
    /// Compress uncompressed answers of the origin in one of the encodings.
    pub compress: bool,
    /// If not empty, only requests signed by one of these keys are answered.
    pub trusted_keys: Vec<TrustedKey>,
    pub response_headers: ResponseHeaders,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encodings {
    pub gzip: bool,
    /// Preferred when a viewer accepts both.
    pub brotli: bool,
}

/// Changes of the headers of every answer to a viewer, also of cached ones and of errors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResponseHeaders {
    pub set: Vec<SetHeader>,
    /// Removed first: `set` may contain the same name.
    pub remove: Vec<String>,
    pub cors: Option<Cors>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetHeader {
    pub name: String,
    pub value: String,
    /// Replaces the origin's header of this name; otherwise that one stays.
    pub overrides: bool,
}

/// The headers of the CORS protocol, which only requests with an Origin get.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cors {
    /// `*` matches any characters.
    pub origins: Vec<String>,
    pub headers: Vec<String>,
    pub methods: Vec<String>,
    pub exposed: Vec<String>,
    pub credentials: bool,
    pub max_age_s: Option<u32>,
    /// Replaces the origin's headers of the protocol; otherwise an answer that has any of them keeps its own.
    pub overrides: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ViewerProtocol {
    Any,
    RedirectToHttps,
    HttpsOnly,
}

/// In seconds. The origin's value is limited to `min` and `max`; `default` applies when it gives none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ttl {
    pub min_s: u64,
    pub default_s: u64,
    pub max_s: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    pub headers: Pick,
    pub cookies: Pick,
    pub query: Pick,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Pick {
    None,
    All,
    Only(Vec<String>),
    AllExcept(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrustedKey {
    pub id: String,
    /// As [`crate::PublicKey`] reads it.
    pub public_key_pem: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    pub id: String,
    pub host: String,
    pub protocol: OriginProtocol,
    pub http_port: u16,
    pub https_port: u16,
    /// Prepended to every path; begins with a slash, does not end with one; or empty.
    pub path: String,
    pub headers: BTreeMap<String, String>,
    /// Requests are signed by the caller's [`crate::OriginSigner`].
    pub signed: bool,
    /// At least 1.
    pub connect_attempts: u32,
    /// Of each attempt.
    pub connect_timeout_ms: u64,
    /// For the first byte, and between two reads.
    pub read_timeout_ms: u64,
    /// How long an idle connection is kept.
    pub keepalive_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OriginProtocol {
    Http,
    /// The origin's certificate is verified: for the Host of the request or the origin's own name.
    Https,
    /// That of the viewer.
    Viewer,
}

/// Two origins for the same content. Requests that may be repeated (GET, HEAD, OPTIONS) go to the second one when the first one
/// cannot be reached, does not answer in time, or answers with one of the statuses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OriginGroup {
    pub id: String,
    pub first: String,
    pub second: String,
    pub statuses: Vec<u16>,
}

/// The handling of an origin's error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorResponse {
    pub status: u16,
    /// Minimum time for which the error is cached.
    pub ttl_s: u64,
    /// Replaces it by another object of the distribution, with this status.
    pub page: Option<(String, u16)>,
}

/// The names by which the edge identifies itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// In X-Cache: `Hit from <product>`.
    pub product: String,
    /// Used in Via and in error pages.
    pub title: String,
    /// In Via, after the version.
    pub via_host: String,
    /// Header with the id of each request.
    pub id_header: String,
    /// Header that names the edge, and its value.
    pub place: Option<(String, String)>,
    /// The Server header of the edge's own answers.
    pub server: String,
    /// The User-Agent of requests to origins.
    pub user_agent: String,
}

/// Methods as their names.
mod methods {
    use http::Method;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(methods: &[Method], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(methods.iter().map(Method::as_str))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Method>, D::Error> {
        let names = Vec::<String>::deserialize(from)?;
        names.iter().map(|name| name.parse().map_err(D::Error::custom)).collect()
    }
}

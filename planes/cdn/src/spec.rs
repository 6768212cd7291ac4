//! All that the plane can be told: plain data.

use http::Method;
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq)]
pub struct DistributionSpec {
    pub id: String,
    /// Hosts it answers for; `*.example.com` stands for one label more.
    pub hostnames: Vec<String>,
    /// What `/` stands for, without a slash; for instance `index.html`.
    pub default_root: Option<String>,
    /// The first whose pattern matches the path counts.
    pub behaviours: Vec<(String, Behaviour)>,
    pub default: Behaviour,
    pub origins: Vec<Origin>,
    pub errors: Vec<ErrorResponse>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Behaviour {
    /// The id of one of the origins.
    pub origin: String,
    pub viewer: ViewerProtocol,
    pub allowed_methods: Vec<Method>,
    /// GET and HEAD, and perhaps OPTIONS.
    pub cached_methods: Vec<Method>,
    pub ttl: Ttl,
    /// What distinguishes cached answers; all of it is forwarded.
    pub key: Selection,
    /// What is forwarded besides.
    pub forward: Selection,
    /// gzip what the origin sent plain, for viewers that take it. (Brotli is not supported.)
    pub compress: bool,
    /// Not empty: only requests signed by one of these keys are answered.
    pub trusted_keys: Vec<TrustedKey>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewerProtocol {
    Any,
    RedirectToHttps,
    HttpsOnly,
}

/// In seconds. What the origin says is kept within `min` and `max`; `default` is for when it says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ttl {
    pub min_s: u64,
    pub default_s: u64,
    pub max_s: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    pub headers: Pick,
    pub cookies: Pick,
    pub query: Pick,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Pick {
    None,
    All,
    Only(Vec<String>),
    AllExcept(Vec<String>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct TrustedKey {
    pub id: String,
    /// RSA, `BEGIN PUBLIC KEY` or `BEGIN RSA PUBLIC KEY`.
    pub public_key_pem: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    pub id: String,
    pub host: String,
    pub port: u16,
    /// Put before every path; begins with a slash, ends without; or empty.
    pub path: String,
    pub headers: BTreeMap<String, String>,
    /// Requests go through the caller's [`crate::OriginSigner`].
    pub signed: bool,
    pub connect_timeout_ms: u64,
    /// For the first byte, and between any two.
    pub read_timeout_ms: u64,
}

/// What an error of the origin becomes.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorResponse {
    pub status: u16,
    /// How long the error is cached, at least.
    pub ttl_s: u64,
    /// Another object of the distribution is sent in its place, with this status.
    pub page: Option<(String, u16)>,
}

/// The words by which the edge names itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// In X-Cache: `Hit from <product>`.
    pub product: String,
    /// In Via and in error pages.
    pub title: String,
    /// In Via, after the version.
    pub via_host: String,
    /// Header with an id for each request.
    pub id_header: String,
    /// Header that says which edge answered, and what it says.
    pub place: Option<(String, String)>,
    /// The Server header of the edge's own answers.
    pub server: String,
    /// The User-Agent of requests to origins.
    pub user_agent: String,
}

//! Requests of web pages of other origins: <https://fetch.spec.whatwg.org/#http-cors-protocol>

/// The question whether a page may make a request, and read its answer.
#[derive(Clone, Debug)]
pub struct CrossOrigin<'a> {
    pub origin: &'a str,
    pub method: &'a str,
    /// The names of headers that the page wants to send. Only a preflight request has them.
    pub headers: Vec<&'a str>,
    /// The path of the request, percent-encoded.
    pub path: &'a str,
}

/// A service's permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrossOriginGrant {
    /// Every origin has it, so the answer does not depend on the origin.
    pub any_origin: bool,
    pub methods: Vec<&'static str>,
    /// The headers of the answer that the page may read.
    pub exposed: Vec<String>,
    pub max_age_secs: Option<u32>,
}

//! Requests of web pages of other origins: <https://fetch.spec.whatwg.org/#http-cors-protocol>

use http::{HeaderMap, HeaderValue, Method, header};

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

impl<'a> CrossOrigin<'a> {
    /// The question that a request asks; `None` if no page made it.
    pub fn of(method: &'a Method, headers: &'a HeaderMap, path: &'a str) -> Option<CrossOrigin<'a>> {
        let origin = text(headers, &header::ORIGIN)?;
        let wanted =
            text(headers, &header::ACCESS_CONTROL_REQUEST_METHOD).filter(|_| is_preflight(method, headers));
        let names = requested_headers(method, headers).collect();
        Some(CrossOrigin { origin, method: wanted.unwrap_or(method.as_str()), headers: names, path })
    }
}

impl CrossOriginGrant {
    /// Adds the headers of the permission to the answer to a request.
    pub fn allow(&self, answer: &mut HeaderMap, method: &Method, request: &HeaderMap) {
        let origin = text(request, &header::ORIGIN).unwrap_or_default();
        if self.any_origin {
            put(answer, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        } else {
            put(answer, header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            put(answer, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
        put(answer, header::ACCESS_CONTROL_ALLOW_METHODS, &self.methods.join(", "));
        let names: Vec<String> = requested_headers(method, request).map(str::to_ascii_lowercase).collect();
        if !names.is_empty() {
            put(answer, header::ACCESS_CONTROL_ALLOW_HEADERS, &names.join(", "));
        }
        if !self.exposed.is_empty() {
            put(answer, header::ACCESS_CONTROL_EXPOSE_HEADERS, &self.exposed.join(", "));
        }
        if let Some(secs) = self.max_age_secs {
            put(answer, header::ACCESS_CONTROL_MAX_AGE, &secs.to_string());
        }
        // A cache must not give one page the answer for another.
        let vary = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";
        answer.append(header::VARY, HeaderValue::from_static(vary));
    }
}

/// Whether a browser asks for permission before it sends a request.
pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The names of the headers that a page wants to send.
fn requested_headers<'a>(method: &Method, headers: &'a HeaderMap) -> impl Iterator<Item = &'a str> + use<'a> {
    let listed =
        text(headers, &header::ACCESS_CONTROL_REQUEST_HEADERS).filter(|_| is_preflight(method, headers));
    listed.into_iter().flat_map(|names| names.split(',')).map(str::trim).filter(|name| !name.is_empty())
}

/// A name that no header can contain is left out: the page then does not get the permission.
fn put(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (header::HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    fn answered(grant: &CrossOriginGrant, method: &Method, request: &HeaderMap) -> Vec<String> {
        let mut answer = HeaderMap::new();
        grant.allow(&mut answer, method, request);
        let mut all: Vec<_> =
            answer.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        all.sort();
        all
    }

    #[test]
    fn answers_of_a_permission() {
        let page = ("origin", "http://a.example");
        let asks = map(&[
            page,
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", "X-A, b"),
        ]);
        let mut grant = CrossOriginGrant {
            any_origin: false,
            methods: vec!["PUT", "GET"],
            exposed: vec!["ETag".into()],
            max_age_secs: Some(60),
        };
        let vary = "vary: Origin, Access-Control-Request-Headers, Access-Control-Request-Method";
        assert_eq!(
            answered(&grant, &Method::OPTIONS, &asks),
            [
                "access-control-allow-credentials: true",
                "access-control-allow-headers: x-a, b",
                "access-control-allow-methods: PUT, GET",
                "access-control-allow-origin: http://a.example",
                "access-control-expose-headers: ETag",
                "access-control-max-age: 60",
                vary,
            ]
        );
        (grant.any_origin, grant.exposed, grant.max_age_secs) = (true, vec![], None);
        assert_eq!(
            answered(&grant, &Method::GET, &map(&[page])),
            ["access-control-allow-methods: PUT, GET", "access-control-allow-origin: *", vary]
        );
    }

    #[test]
    fn preflight_requests_name_a_method() {
        assert!(!is_preflight(&Method::OPTIONS, &map(&[])));
        assert!(!is_preflight(&Method::GET, &map(&[("access-control-request-method", "GET")])));
    }
}

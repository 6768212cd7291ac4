//! The CORS protocol: answers preflight requests, and adds the headers that let a page of another origin read an answer. The
//! service decides ([`escale_service::Service::cross_origin`]); only buckets of S3 can have such rules.
//!
//! Sources: <https://fetch.spec.whatwg.org/#http-cors-protocol> and
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html>

use crate::{Gate, body::full};
use bytes::Bytes;
use escale_service::{Body, CrossOrigin, CrossOriginGrant};
use escale_wire::Target;
use http::{HeaderMap, HeaderValue, Method, Response, header, request::Parts};

const CREDENTIALS: &str = "true";

/// The permission for the page that made this request; `None` if no page made it, or if no rule allows it.
pub(crate) fn grant(gate: &Gate, target: &Target, parts: &Parts) -> Option<CrossOriginGrant> {
    let origin = text(&parts.headers, &header::ORIGIN)?;
    let wanted = text(&parts.headers, &header::ACCESS_CONTROL_REQUEST_METHOD).filter(|_| is_preflight(parts));
    let method = wanted.unwrap_or(parts.method.as_str());
    let headers = requested_headers(parts).collect();
    let service = gate.cloud.service(target.service.id)?;
    service.cross_origin(&gate.store.read(), &CrossOrigin { origin, method, headers, path: &target.path })
}

pub(crate) fn is_preflight(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS && parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The names of the headers that a page wants to send.
fn requested_headers(parts: &Parts) -> impl Iterator<Item = &str> {
    let listed =
        text(&parts.headers, &header::ACCESS_CONTROL_REQUEST_HEADERS).filter(|_| is_preflight(parts));
    listed.into_iter().flat_map(|names| names.split(',')).map(str::trim).filter(|name| !name.is_empty())
}

/// The answer to a preflight request that is allowed.
pub(crate) fn preflight(parts: &Parts) -> Response<Body> {
    let mut response = Response::new(full(Bytes::new()));
    let names: Vec<String> = requested_headers(parts).map(str::to_ascii_lowercase).collect();
    if !names.is_empty() {
        put(response.headers_mut(), header::ACCESS_CONTROL_ALLOW_HEADERS, &names.join(", "));
    }
    response
}

/// Adds the headers of a permission to the answer.
pub(crate) fn allow(response: &mut Response<Body>, parts: &Parts, grant: &CrossOriginGrant) {
    let headers = response.headers_mut();
    let origin = text(&parts.headers, &header::ORIGIN).unwrap_or_default();
    if grant.any_origin {
        put(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    } else {
        put(headers, header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        put(headers, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, CREDENTIALS);
    }
    put(headers, header::ACCESS_CONTROL_ALLOW_METHODS, &grant.methods.join(", "));
    if !grant.exposed.is_empty() {
        put(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, &grant.exposed.join(", "));
    }
    if let Some(secs) = grant.max_age_secs {
        put(headers, header::ACCESS_CONTROL_MAX_AGE, &secs.to_string());
    }
    // A cache must not give one page the answer for another.
    let vary = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";
    headers.append(header::VARY, HeaderValue::from_static(vary));
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

    fn parts(method: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().method(method).uri("/b/k");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn headers(response: &Response<Body>) -> Vec<String> {
        let all = response.headers().iter();
        let mut all: Vec<_> =
            all.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        all.sort();
        all
    }

    #[test]
    fn answers_of_a_permission() {
        let page = ("origin", "http://a.example");
        let asks = parts(
            "OPTIONS",
            &[page, ("access-control-request-method", "PUT"), ("access-control-request-headers", "X-A, b")],
        );
        let mut grant = CrossOriginGrant {
            any_origin: false,
            methods: vec!["PUT", "GET"],
            exposed: vec!["ETag".into()],
            max_age_secs: Some(60),
        };
        let vary = "vary: Origin, Access-Control-Request-Headers, Access-Control-Request-Method";
        let mut response = preflight(&asks);
        allow(&mut response, &asks, &grant);
        assert_eq!(
            headers(&response),
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
        let mut response = Response::new(full(Bytes::new()));
        allow(&mut response, &parts("GET", &[page]), &grant);
        assert_eq!(
            headers(&response),
            ["access-control-allow-methods: PUT, GET", "access-control-allow-origin: *", vary]
        );
    }

    #[test]
    fn preflight_requests_name_a_method() {
        assert!(!is_preflight(&parts("OPTIONS", &[])));
        assert!(!is_preflight(&parts("GET", &[("access-control-request-method", "GET")])));
    }
}

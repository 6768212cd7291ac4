//! Answers that the balancer itself gives.

use crate::body::Body;
use http::{HeaderValue, Response, StatusCode, header};

/// The page of an error or a redirect. `server` is the Server header.
pub(crate) fn page(status: StatusCode, server: &HeaderValue) -> Response<Body> {
    let title = title(status);
    let html = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         </body>\r\n</html>\r\n"
    );
    answer(status, server, Some(HeaderValue::from_static("text/html")), html)
}

pub(crate) fn answer(
    status: StatusCode,
    server: &HeaderValue,
    content_type: Option<HeaderValue>,
    body: String,
) -> Response<Body> {
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::SERVER, server.clone());
    if let Some(content_type) = content_type {
        headers.insert(header::CONTENT_TYPE, content_type);
    }
    response
}

/// Status and reason as browsers have seen them for decades, where they differ from RFC 9110's.
fn title(status: StatusCode) -> String {
    let reason = match status.as_u16() {
        408 => "Request Time-out",
        414 => "Request-URI Too Large",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        505 => "HTTP Version Not Supported",
        _ => status.canonical_reason().unwrap_or(""),
    };
    format!("{} {reason}", status.as_u16()).trim_end().to_owned()
}

//! The CORS protocol: answers preflight requests, and adds the headers that let a page of another origin read an answer. The
//! service decides ([`escale_service::Service::cross_origin`]); only buckets of S3 can have such rules.
//!
//! Sources: <https://fetch.spec.whatwg.org/#http-cors-protocol> and
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html>

use crate::{Gate, body::full};
use bytes::Bytes;
use escale_service::{Body, CrossOrigin, CrossOriginGrant};
use escale_wire::Target;
use http::{Response, request::Parts};

/// The permission for the page that made this request; `None` if no page made it, or if no rule allows it.
pub(crate) fn grant(gate: &Gate, target: &Target, parts: &Parts) -> Option<CrossOriginGrant> {
    let service = gate.cloud.service(target.service.id)?;
    let request = CrossOrigin::of(&parts.method, &parts.headers, &target.path)?;
    service.cross_origin(&gate.store.read(), &request)
}

/// The answer to a preflight request that is allowed, without the headers of the permission.
pub(crate) fn preflight() -> Response<Body> {
    Response::new(full(Bytes::new()))
}

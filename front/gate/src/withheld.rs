//! Bodies that a client holds back until it is asked for them (`Expect: 100-continue`; RFC 9110, 10.1.1).

use escale_service::Body;
use http::{HeaderValue, Request, Response, Version, header};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

/// What is known of the body of one request when it is answered.
pub(crate) struct Withheld {
    /// The client may wait to be asked, and the connection has one request after the other.
    waits: bool,
    came: Arc<AtomicBool>,
}

/// The request as the gate handles it, and what its answer has to be asked.
pub(crate) fn watch(request: Request<Incoming>) -> (Request<Body>, Withheld) {
    let waits = request.version() != Version::HTTP_2
        && request.headers().contains_key(header::EXPECT)
        && !request.body().is_end_stream();
    let came = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&came);
    let request = request.map(|body| {
        let body = body.map_err(|error| -> Box<dyn std::error::Error + Send + Sync> { Box::new(error) });
        let body = body.map_frame(move |frame| {
            seen.store(true, Relaxed);
            frame
        });
        body.boxed_unsync()
    });
    (request, Withheld { waits, came })
}

impl Withheld {
    /// Ends the connection with an answer that came instead of `100 Continue`: a client that waited will not send the body, so
    /// the first bytes of its next request would be taken for it.
    pub(crate) fn end(&self, response: &mut Response<Body>) {
        if self.waits && !self.came.load(Relaxed) {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

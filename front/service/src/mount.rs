//! What stands at the API's address and is not AWS's API.

use crate::{Arrival, Body};
use http::{Request, Response, request::Parts};
use std::{future::Future, pin::Pin};

/// A guest behind the same door: an image registry, a health page. It does its own authentication, and makes its callers by
/// [`crate::Caller::arriving`].
pub trait Mount: Send + Sync + 'static {
    /// Whether this request is the guest's; asked before anything else.
    fn claims(&self, parts: &Parts) -> bool;

    fn serve(
        &self,
        request: Request<Body>,
        arrival: Arrival,
    ) -> Pin<Box<dyn Future<Output = Response<Body>> + Send + '_>>;
}

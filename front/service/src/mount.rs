//! Handlers of other protocols at the API's address.

use crate::{Arrival, Body};
use http::{Request, Response, request::Parts};
use std::{future::Future, pin::Pin};

/// A handler at the gate for another protocol than AWS's API: an image registry, a health page. It authenticates requests
/// itself and makes its callers by [`crate::Caller::arriving`].
pub trait Mount: Send + Sync + 'static {
    /// Whether this request is for the mount; called before the request is identified.
    fn claims(&self, parts: &Parts) -> bool;

    /// Whether its requests carry a proof that a page cannot make itself, as presigned URLs do. Web pages of other origins may
    /// then send them.
    fn has_own_proof(&self) -> bool {
        false
    }

    fn serve(
        &self,
        request: Request<Body>,
        arrival: Arrival,
    ) -> Pin<Box<dyn Future<Output = Response<Body>> + Send + '_>>;
}

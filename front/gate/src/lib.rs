//! The front door: bytes from a socket become a call of an operation, and its answer bytes again.
//!
//! The road, in `request.rs`: which service and operation (`escale-wire`), who signed (`escale-wire::sigv4`, the
//! secret from [`escale_service::Identity`]), may they ([`escale_service::Cloud::authorize`]), run, encode. It knows no
//! service by name: all come through the [`Cloud`].
//!
//! What is not AWS's API but stands at the same address (an image registry's `/v2/`) is a [`Mount`].

mod body;
mod check;
mod request;
mod serve;
mod trace;

pub use check::check_against_models;
pub use serve::serve;

use escale_service::{Cloud, Mount};
use escale_store::Store;
use escale_wire::sigv4::Verifier;
use std::sync::Arc;

/// The door itself; shared by all connections.
pub struct Gate {
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) store: Store,
    pub(crate) verifier: Verifier,
    pub(crate) mounts: Vec<Arc<dyn Mount>>,
}

impl Gate {
    pub fn new(cloud: Arc<Cloud>, store: Store, mounts: Vec<Arc<dyn Mount>>) -> Gate {
        Gate { cloud, store, verifier: Verifier::new(), mounts }
    }
}

//! The front door: bytes from a socket become a call of an operation, and its answer bytes again.
//!
//! The path of a request, in `request.rs`: can its head be read in one way only (`escale-httpguard`, `head.rs`), is it no web
//! page's (`web_pages.rs`), which service and operation (`escale-wire`), who signed (`escale-wire::sigv4`, the secret from
//! [`escale_service::Identity`]); then the body (`body.rs`), decoded apart if it is large (`decoders.rs`); may they
//! ([`escale_service::Cloud::authorize`]), run, encode. It knows no service by name: all come through the [`Cloud`].
//!
//! What is not AWS's API but stands at the same address (an image registry's `/v2/`) is a [`Mount`].

mod body;
mod check;
mod decoders;
mod head;
mod request;
mod serve;
mod trace;
mod web_pages;

pub use check::check_against_models;
pub use serve::serve;

use body::Budget;
use decoders::Decoders;
use escale_service::{Cloud, Mount};
use escale_store::Store;
use escale_wire::sigv4::Verifier;
use std::{io, sync::Arc};

/// The door itself; shared by all connections.
pub struct Gate {
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) store: Store,
    pub(crate) verifier: Verifier,
    pub(crate) mounts: Vec<Arc<dyn Mount>>,
    pub(crate) budget: Budget,
    pub(crate) decoders: Decoders,
}

impl Gate {
    /// Fails when no thread can be started.
    pub fn new(cloud: Arc<Cloud>, store: Store, mounts: Vec<Arc<dyn Mount>>) -> io::Result<Gate> {
        let (budget, decoders) = (Budget::new(), Decoders::start()?);
        Ok(Gate { cloud, store, verifier: Verifier::new(), mounts, budget, decoders })
    }
}

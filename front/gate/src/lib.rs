//! The listener for AWS's API: turns bytes from a socket into a call of an operation, and its output into a response.
//!
//! The request path, in `request.rs`:
//! 1. Refuse ambiguous heads (`escale-httpguard`, `head.rs`) and requests of foreign web pages (`web_pages.rs`),
//!    except those that a bucket's CORS rules allow (`cross_origin.rs`).
//! 2. Find the service and operation (`escale-wire`) and verify the signature (`escale-wire::sigv4`, with the secret from
//!    [`escale_service::Identity`]).
//! 3. Read the body (`body.rs`) and decode it, on separate threads if it is large (`decoders.rs`).
//! 4. Authorize ([`escale_service::Cloud::authorize`]), run the operation, encode its output.
//!
//! This crate knows no service by name: the [`Cloud`] has them. A handler for another protocol at the same address (an image
//! registry's `/v2/`) is a [`Mount`].

mod body;
mod check;
mod cross_origin;
mod decoders;
mod head;
mod request;
mod serve;
mod trace;
mod web_pages;

pub use check::check_against_models;
pub use serve::{Certificates, Tls, serve, serve_mount};

use body::Budget;
use decoders::Decoders;
use escale_service::{Cloud, Mount};
use escale_store::Store;
use escale_wire::sigv4::Verifier;
use std::{io, sync::Arc};

/// The state that all connections share.
pub struct Gate {
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) store: Store,
    pub(crate) verifier: Verifier,
    pub(crate) mounts: Vec<Arc<dyn Mount>>,
    pub(crate) budget: Budget,
    pub(crate) decoders: Decoders,
}

impl Gate {
    /// Fails when the decoders' threads cannot be started.
    pub fn new(cloud: Arc<Cloud>, store: Store, mounts: Vec<Arc<dyn Mount>>) -> io::Result<Gate> {
        let (budget, decoders) = (Budget::new(), Decoders::start()?);
        Ok(Gate { cloud, store, verifier: Verifier::new(), mounts, budget, decoders })
    }
}

//! The upstream plane: reads images from registries that are not the cloud's own, such as Docker Hub, by the OCI distribution
//! API.
//!
//! It connects from the host, over TLS or through the proxy that the environment names, and verifies what it gets: a manifest
//! by its digest, a body by its length. It stores nothing and never writes to a registry. It never connects to an address of
//! the host or of a private network, unless the installation's mirrors name the host: the name of an image comes from clients
//! of the API, and a registry chooses where it redirects to.
//!
//! Start at [`Upstream`], the trait. [`Client`] is the real one, [`Fake`] the one in memory. `exchange.rs` is the path of a
//! request: challenge, token, redirect; `connection.rs` opens its connection; `address.rs` decides where it may lead.

mod address;
mod challenge;
mod client;
mod connection;
mod error;
mod exchange;
mod fake;
mod mirrors;
mod proxy;
mod roots;
mod spec;

pub use client::Client;
pub use error::{BodyError, Error, Result};
pub use fake::Fake;
pub use mirrors::Mirrors;
pub use proxy::Proxies;
pub use roots::Roots;
pub use spec::*;

use async_trait::async_trait;

/// Reads images from other registries.
#[async_trait]
pub trait Upstream: Send + Sync + 'static {
    /// The manifest or index that a reference names now. Its bytes have the digest that the result names.
    async fn manifest(
        &self,
        repository: &Repository,
        reference: &Reference,
        credentials: Option<&Credentials>,
    ) -> Result<Manifest>;

    /// The bytes of a blob from an offset on. The stream fails if the registry sends more or fewer than `size_bytes` in all.
    /// The digest is for the caller to verify, who may have the bytes before the offset already.
    async fn blob(
        &self,
        repository: &Repository,
        blob: &Blob,
        from: u64,
        credentials: Option<&Credentials>,
    ) -> Result<Body>;
}

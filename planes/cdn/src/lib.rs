//! The cdn plane: an HTTP cache (RFC 9111) between viewers and origins. Distributions are chosen by Host; a
//! distribution has behaviours by path pattern, which say how to cache, what to forward, who may read.
//!
//! It terminates no TLS and opens no socket itself: listeners and the [`Connector`] are the caller's. The
//! cache does not outlive the process: its directory is wiped at the start, because an index that a crash
//! may have left half written cannot be trusted, and a cache can always be filled again.
//!
//! Start at [`spec`] for all that it can be told, at `serve.rs` for the road of a request, at `freshness.rs`
//! for what may be stored and for how long.

mod authority;
mod blob;
mod check;
mod compress;
mod conditional;
mod edge;
mod fake;
mod flight;
mod freshness;
#[doc(hidden)]
pub mod fuzzing;
mod key;
mod origin;
mod pages;
mod serve;
mod signed;
pub mod spec;
mod store;

pub use blob::Body;
pub use check::check;
pub use edge::{Edge, Settings};
pub use fake::FakeCdn;
pub use spec::DistributionSpec;

use async_trait::async_trait;
use escale_base::PlaneError;
use tokio::net::TcpStream;

/// What the plane does. [`Edge`] is the real one, [`FakeCdn`] the one for simulations.
#[async_trait]
pub trait Cdn: Send + Sync {
    /// Makes the distribution be exactly as `spec` says, from the next request on. What is cached stays.
    async fn apply(&self, spec: DistributionSpec) -> Result<(), PlaneError>;
    /// The distribution answers no more, and what it cached is dropped. One that is not there is no error.
    async fn remove(&self, id: &str) -> Result<(), PlaneError>;
    /// Drops what is cached under these paths, query string included; a final `*` stands for anything. Every
    /// spelling of a path is meant (`RawPath::collapsed` of `escale-base`).
    /// In force when it returns, also for answers that are just coming in. Returns how many were dropped.
    async fn invalidate(&self, id: &str, paths: &[String]) -> Result<usize, PlaneError>;
    fn ids(&self) -> Vec<String>;
    fn counts(&self, id: &str) -> Option<Counts>;
}

/// How an origin is reached; the caller decides from where.
#[async_trait]
pub trait Connector: Send + Sync + 'static {
    async fn connect(&self, host: &str, port: u16) -> std::io::Result<TcpStream>;
}

/// Signs a request to an origin that takes only signed ones. Called last, with the final head; the body of
/// such a request is the viewer's, unread.
pub trait OriginSigner: Send + Sync + 'static {
    fn sign(
        &self,
        distribution: &str,
        origin: &str,
        head: &mut http::request::Parts,
    ) -> Result<(), PlaneError>;
}

/// Ever growing from the distribution's creation in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub requests: u64,
    pub hits: u64,
    pub misses: u64,
    pub refreshes: u64,
    pub origin_requests: u64,
    pub s4xx: u64,
    pub s5xx: u64,
}

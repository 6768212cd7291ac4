//! The cdn plane: an HTTP cache (RFC 9111) between viewers and origins. The Host header selects the distribution; its
//! behaviours, selected by path pattern, say how to cache, what to forward, who may read.
//!
//! It opens no socket itself: listeners and the [`Connector`] are the caller's. The
//! cache does not outlive the process: its directory is wiped at the start, because an index that a crash
//! may have left half written cannot be trusted, and a cache can always be filled again.
//!
//! Start at [`spec`] for the complete interface, at `serve.rs` for the path of a request, at `freshness.rs`
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
mod log;
mod marks;
mod origin;
mod pages;
mod public_key;
mod response_headers;
mod serve;
mod signed;
pub mod spec;
mod store;

pub use blob::Body;
pub use check::check;
pub use edge::{Edge, Settings};
pub use fake::FakeCdn;
pub use public_key::PublicKey;
pub use spec::DistributionSpec;

use async_trait::async_trait;
use escale_base::{PlaneError, Timestamp};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// The cdn plane. [`Edge`] is the real one, [`FakeCdn`] the one for simulations.
#[async_trait]
pub trait Cdn: Send + Sync {
    /// Makes the distribution match `spec` from the next request on. Cached answers stay.
    async fn apply(&self, spec: DistributionSpec) -> Result<(), PlaneError>;
    /// Stops serving the distribution and drops its cached answers. A distribution that does not exist is no error.
    async fn remove(&self, id: &str) -> Result<(), PlaneError>;
    /// Drops cached answers for these paths, with any query string; a final `*` matches anything. Every
    /// spelling of a path is included (`RawPath::collapsed` of `escale-base`).
    /// In effect when it returns, also for answers in flight. Returns how many were dropped.
    async fn invalidate(&self, id: &str, paths: &[String]) -> Result<usize, PlaneError>;
    /// Removes and returns at most `most` of the oldest records of requests to logged distributions. Best effort: records that
    /// nobody takes are dropped beyond a bound, and they are lost with the process.
    async fn take_log(&self, most: usize) -> Result<Vec<Visit>, PlaneError>;
    fn ids(&self) -> Vec<String>;
    async fn counts(&self, id: &str) -> Result<Option<Counts>, PlaneError>;
}

/// One answered request of a logged distribution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Visit {
    pub distribution: String,
    pub at: Timestamp,
    pub client: SocketAddr,
    pub method: String,
    /// The Host header.
    pub host: String,
    /// As the viewer sent it, like the query.
    pub path: String,
    pub query: Option<String>,
    pub version: String,
    pub https: bool,
    pub referer: Option<String>,
    pub user_agent: Option<String>,
    pub cookie: Option<String>,
    pub forwarded_for: Option<String>,
    pub range: Option<String>,
    pub received_bytes: u64,
    pub status: u16,
    /// How the answer was produced, in the words of X-Cache.
    pub result: String,
    pub id: String,
    pub content_type: Option<String>,
    pub content_length: Option<String>,
    /// Head and body.
    pub sent_bytes: u64,
    pub first_byte_ms: u64,
    pub took_ms: u64,
}

/// Connects to an origin; the caller decides from which network.
#[async_trait]
pub trait Connector: Send + Sync + 'static {
    async fn connect(&self, host: &str, port: u16) -> std::io::Result<TcpStream>;
}

/// Signs requests to origins that require a signature. Called last, with the final head; the body of
/// such a request is the viewer's and has not been read. It may wait for its key.
#[async_trait]
pub trait OriginSigner: Send + Sync + 'static {
    async fn sign(
        &self,
        distribution: &str,
        origin: &str,
        head: &mut http::request::Parts,
    ) -> Result<(), PlaneError>;
}

/// Counted from the distribution's creation in this process; only increases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub requests: u64,
    pub hits: u64,
    pub misses: u64,
    pub refreshes: u64,
    pub origin_requests: u64,
    pub s4xx: u64,
    pub s5xx: u64,
    /// What was sent to viewers for GET, HEAD and OPTIONS: heads, as HTTP/1 has them, and bodies.
    #[serde(default)]
    pub downloaded_bytes: u64,
}

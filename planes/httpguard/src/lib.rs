//! Guards listeners that speak HTTP against ambiguous requests; shared by the load balancer, the CDN and the API. The guard is
//! between the socket and hyper's HTTP/1 server and releases a request's head only when it is complete, unambiguous and
//! within limits (RFC 9112, request smuggling). It also follows the framing of bodies, because it must know where the
//! next head begins.
//!
//! A refused head is replaced by one that no client can send (its path is a secret of this process); the server
//! answers its own error page in turn and closes the connection.
//!
//! It never routes, forwards or changes a request, and opens no socket. Start at [`serve()`] for the life of a
//! connection, at `head.rs` for the reasons to refuse a head, at [`Guard`] for how bytes are released.

mod chunked;
#[doc(hidden)]
pub mod fuzzing;
mod guard;
mod head;
mod idle;
mod serve;
mod stop;

pub use guard::{Awaiting, Guard, Link, Upgrades};
pub use idle::IdleTimer;
pub use serve::{Limits, serve};
pub use stop::Stop;

/// Counts the bytes of a connection.
pub trait Meter: Send + Sync + 'static {
    fn received(&self, bytes: u64);
    fn sent(&self, bytes: u64);
}

/// Counts nothing.
impl Meter for () {
    fn received(&self, _bytes: u64) {}
    fn sent(&self, _bytes: u64) {}
}

//! The data plane as a process of its own: load balancers, the edge, DNS and the host's forwarders run in `escale plane`, and
//! go on with their last specs while the daemon is gone.
//!
//! The daemon's side is [`Link`]: it starts the process or adopts a running one, and gives the planes' traits over a Unix
//! socket ([`remote`]). The other side is a small supervisor ([`supervise`]), which starts a worker again whenever it dies, and
//! the worker ([`serve`]), which has the real planes. The supervisor holds three things for the next worker ([`Inheritance`]):
//! the socket at which daemons connect, a [`Snapshot`] of all specs in memory, and the sockets of everything that is served.
//!
//! This crate chooses no settings and knows no service. Start at [`message`] for what both sides say, then `worker.rs`.

mod build;
mod frame;
mod inheritance;
mod keys;
mod link;
pub mod message;
pub mod remote;
mod server;
mod snapshot;
mod supervisor;
mod visit;
mod worker;

pub use inheritance::Inheritance;
pub use keys::Daemon;
pub use link::{Link, Start};
pub use server::serve;
pub use snapshot::Snapshot;
pub use supervisor::supervise;
pub use visit::{end, visit};
pub use worker::Parts;

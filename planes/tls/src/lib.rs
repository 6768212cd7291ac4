//! Terminates TLS for the listeners of the load balancer, the CDN and the API: the certificate is chosen by the server name
//! that the client sends, protocol versions and cipher suites by a policy. It also connects to servers with TLS ([`client`]) and
//! reads certificates ([`x509`]).
//!
//! It opens no socket, stores nothing and issues no certificate. Below HTTP it changes nothing: the stream of a finished
//! handshake goes to `escale-httpguard` like one without TLS.
//!
//! Start at [`spec`] for the configuration and at [`Terminator`] for a handshake.

mod accept;
mod choose;
pub mod client;
mod compile;
pub mod hello;
pub mod spec;
pub mod x509;

pub use accept::{HANDSHAKE, Stream, accept_by_name};
pub use compile::Terminator;
pub use spec::{CertificateSpec, Policy, Suite, TlsSpec, Version};

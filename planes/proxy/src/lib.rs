//! The proxy plane: an HTTP/1.1 and cleartext HTTP/2 load balancer. A balancer has nodes, one per zone, each
//! serving in a place of its own (for instance a network namespace); listeners with ordered rules; groups of
//! targets with health checks, draining and counters.
//!
//! It never opens a socket itself: the caller's [`Sockets`] listens and connects for each node, so that the
//! plane needs no privilege and knows no namespace. It stores nothing: a new process that applies the same
//! specs listens again. It terminates no TLS.
//!
//! Start at [`spec`] for all that it can be told, at `serve.rs` for what happens to a request, at
//! `escale-httpguard` for what a client may send.

mod body;
mod compile;
mod counters;
pub mod fake;
mod forward;
mod headers;
mod health;
mod pages;
mod plane;
mod pool;
mod rules;
mod serve;
pub mod spec;
mod table;
mod target;
mod upgrade;

pub use compile::check;
pub use counters::{Histogram, ListenerCount, NodeCounts, Outcomes, TargetCount};
pub use fake::FakeProxies;
pub use plane::Balancers;
pub use spec::BalancerSpec;

use async_trait::async_trait;
use escale_base::PlaneError;
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What the plane does. [`Balancers`] is the real one, [`FakeProxies`] the one for simulations.
#[async_trait]
pub trait Proxies: Send + Sync {
    /// Makes the balancer of this name be exactly as `spec` says; creates it when it is not there. May be
    /// repeated. A listener that cannot open its port is an error, after everything else was done; it is
    /// opened by the next `apply`.
    async fn apply(&self, spec: BalancerSpec) -> Result<(), PlaneError>;
    /// Closes the balancer's listeners; requests under way may finish within their groups' drain delay.
    /// A balancer that is not there is no error.
    async fn remove(&self, name: &str) -> Result<(), PlaneError>;
    /// The names of all balancers.
    fn names(&self) -> Vec<String>;
    /// What is seen of a balancer; `None` when it is not there. The channel closes when it is removed.
    fn seen(&self, name: &str) -> Option<watch::Receiver<Arc<Seen>>>;
    /// Counters per node, ever growing from the balancer's creation in this process.
    fn counts(&self, name: &str) -> Option<Vec<NodeCounts>>;
}

/// How a node reaches the network. The caller decides where a node is.
#[async_trait]
pub trait Sockets: Send + Sync + 'static {
    fn listen(&self, node: &str, port: u16) -> std::io::Result<TcpListener>;
    async fn connect(&self, node: &str, to: SocketAddr) -> std::io::Result<TcpStream>;
}

/// What was observed of a balancer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    pub listeners: Vec<ListenerSeen>,
    pub targets: Vec<TargetSeen>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ListenerSeen {
    pub node: String,
    pub port: u16,
    /// Where it listens, or why it does not.
    pub state: Result<SocketAddr, String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TargetSeen {
    pub group: String,
    pub addr: SocketAddr,
    /// Over all nodes that may send to it: healthy when one of them says so.
    pub state: TargetState,
    pub nodes: Vec<(String, TargetState)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetState {
    /// No listener forwards to its group, or no node may send to its zone.
    Unused,
    /// Not yet checked often enough to say; with why the last check failed, if it did.
    Initial(Option<Reason>),
    Healthy,
    Unhealthy(Reason),
    /// Gets no new requests; some are still under way.
    Draining,
    /// Nothing is under way any more, or the delay is over. Stays so until the spec drops the target.
    Drained,
}

/// Why a health check failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    Timeout,
    ConnectionRefused,
    /// Connected, answered, but with this status.
    FailedCode(u16),
    /// Connected, but what came back was no HTTP answer, or the connection broke.
    BadAnswer,
    /// The node could not reach it at all (no route, host unreachable).
    Unreachable(String),
}

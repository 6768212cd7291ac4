//! The proxy plane: a load balancer for HTTP/1.1, HTTP/2 and gRPC, and for TCP. A balancer has nodes, one per zone, each
//! serving in its own network (for example a network namespace); listeners with ordered rules; groups of
//! targets with health checks, draining and counters.
//!
//! It never opens a socket itself: the caller's [`Sockets`] listens and connects for each node, so the
//! plane needs no privilege and knows no namespace. It stores nothing: a new process that applies the same
//! specs listens again. TLS is `escale-tls`, below HTTP.
//!
//! Start at [`spec`] for the complete interface, at `serve.rs` for the path of a request, at `relay.rs` for TCP, at
//! `escale-httpguard` for what a client may send.

mod body;
mod compile;
mod counters;
mod direct;
pub mod fake;
mod forward;
mod headers;
mod health;
mod log;
mod pages;
mod plane;
mod pool;
mod relay;
mod routes;
mod rules;
mod sender;
mod serve;
pub mod spec;
mod sticky;
mod table;
mod target;
mod upgrade;

pub use compile::check;
pub use counters::{Histogram, ListenerCount, NodeCounts, Outcomes, TargetCount};
pub use fake::FakeProxies;
pub use log::{Act, Protocol, Visit};
pub use plane::Balancers;
pub use spec::BalancerSpec;

use async_trait::async_trait;
use escale_base::PlaneError;
use escale_sockets::Kept;
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// The proxy plane. [`Balancers`] is the real one, [`FakeProxies`] the one for simulations.
#[async_trait]
pub trait Proxies: Send + Sync {
    /// Makes the balancer of this name match `spec`; creates it when it does not exist. May be
    /// repeated. A listener that cannot open its port is an error, returned after everything else was done; the
    /// next `apply` tries again.
    async fn apply(&self, spec: BalancerSpec) -> Result<(), PlaneError>;
    /// Closes the balancer's listeners; requests in progress may finish within their groups' drain delay.
    /// A balancer that does not exist is no error.
    async fn remove(&self, name: &str) -> Result<(), PlaneError>;
    /// The names of all balancers.
    fn names(&self) -> Vec<String>;
    /// The observed state of a balancer; `None` when it does not exist. The channel closes when it is removed.
    fn seen(&self, name: &str) -> Option<watch::Receiver<Arc<Seen>>>;
    /// Counters per node, from the balancer's creation in this process; they only increase.
    async fn counts(&self, name: &str) -> Result<Option<Vec<NodeCounts>>, PlaneError>;
    /// At most `most` records of requests to balancers with [`spec::Attributes::log`], the oldest first. Each is taken once.
    async fn take_log(&self, most: usize) -> Result<Vec<Visit>, PlaneError>;
}

/// A node's access to the network. The caller decides where a node is.
#[async_trait]
pub trait Sockets: Send + Sync + 'static {
    /// The plane does not know who keeps the socket.
    fn listen(&self, node: &str, port: u16) -> std::io::Result<Kept<TcpListener>>;
    async fn connect(&self, node: &str, to: SocketAddr) -> std::io::Result<TcpStream>;
}

/// The observed state of a balancer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub listeners: Vec<ListenerSeen>,
    pub targets: Vec<TargetSeen>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListenerSeen {
    pub node: String,
    pub port: u16,
    /// The address it listens at, or why it does not listen.
    pub state: Result<SocketAddr, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetSeen {
    pub group: String,
    pub addr: SocketAddr,
    /// Over all nodes that may send to it: healthy when one of them reports it healthy.
    pub state: TargetState,
    pub nodes: Vec<(String, TargetState)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TargetState {
    /// No listener forwards to its group, or no node may send to its zone.
    Unused,
    /// Not checked often enough yet; with the reason of the last failure, if it failed.
    Initial(Option<Reason>),
    Healthy,
    Unhealthy(Reason),
    /// Gets no new requests; some are still in progress.
    Draining,
    /// No request is in progress any more, or the delay is over. Final until the spec drops the target.
    Drained,
}

/// Why a health check failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    Timeout,
    ConnectionRefused,
    /// Connected and answered, with this status.
    FailedCode(u16),
    /// Connected, but the answer was not HTTP, or the connection broke.
    BadAnswer,
    /// The node could not reach it (no route, host unreachable).
    Unreachable(String),
}

//! What the daemon and the data plane's process say to each other.
//!
//! [`Greeting`], [`Hello`], [`HandedOver`] and [`Retired`] keep their form in every version, so that a daemon can replace the process of another
//! version. All other messages are between two processes of the same program.

use escale_base::{PlaneError, Secret, error::Fault};
use escale_cdn::{Counts, DistributionSpec, Visit};
use escale_dns::ServerSpec;
use escale_network::{EgressSpec, HostWebSpec};
use escale_proxy::{BalancerSpec, NodeCounts, Seen};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

/// The first message of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Greeting {
    /// From the daemon of the home. A later one replaces an earlier one.
    Daemon,
    /// Only reads the [`Hello`].
    Visitor,
    /// Answers with [`HandedOver`], and serves as before. The daemon that is connected is disconnected.
    HandOver,
    /// Closes all listeners, answers with [`Retired`], and ends once all requests are complete.
    Retire,
    /// Ends at once, and its supervisor with it.
    End,
}

/// The answer to a [`Greeting`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    pub build: String,
    pub pid: u32,
    /// `None` if it has ended: then nothing starts the worker again but a daemon.
    pub supervisor: Option<u32>,
    /// How many workers the supervisor has started.
    pub starts: u32,
    /// How many balancers, distributions and resolvers are served.
    pub balancers: usize,
    pub distributions: usize,
    pub resolvers: usize,
    /// The addresses of the host's loopback interface that it listens at.
    pub host: Vec<SocketAddr>,
    /// Whether a daemon is connected.
    pub daemon: bool,
}

/// For the process that replaces this one. `state` is a [`State`] of its version. All listening sockets follow as an
/// [`escale_sockets::Store`].
#[derive(Debug, Serialize, Deserialize)]
pub struct HandedOver {
    pub state: serde_json::Value,
}

/// The last message of a process that was asked to retire. `state` is a [`State`] of its version.
#[derive(Debug, Serialize, Deserialize)]
pub struct Retired {
    pub state: serde_json::Value,
}

/// All specs. A worker that starts again applies them before it answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub names: Option<escale_dns::Spec>,
    pub servers: BTreeMap<String, ServerSpec>,
    pub balancers: BTreeMap<String, BalancerSpec>,
    pub distributions: BTreeMap<String, DistributionSpec>,
    /// With whether they use HTTPS.
    pub viewers: BTreeMap<SocketAddr, bool>,
    pub web: Option<HostWebSpec>,
    pub egress: Option<EgressSpec>,
    pub hosts: OwnHosts,
}

/// Signs a distribution's requests to one origin, which the daemon serves. Valid while the daemon runs that sent it, so it is never stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OriginKey {
    pub access_key: String,
    pub secret: Secret<String>,
    pub region: String,
}

/// The keys of a distribution's origins, by their ids.
pub type OriginKeys = BTreeMap<String, OriginKey>;

/// The hosts that the daemon itself serves on the cloud's Internet, with their addresses.
pub type OwnHosts = BTreeMap<String, SocketAddr>;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Call {
    pub id: u64,
    pub request: Request,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    ApplyBalancer(Box<BalancerSpec>),
    RemoveBalancer(String),
    CountBalancer(String),
    /// At most so many records.
    TakeBalancerLog(usize),
    ApplyDistribution(Box<DistributionSpec>, OriginKeys),
    RemoveDistribution(String),
    Invalidate {
        id: String,
        paths: Vec<String>,
    },
    CountDistribution(String),
    /// At most so many records.
    TakeLog(usize),
    ApplyNames(escale_dns::Spec),
    Serve(ServerSpec),
    StopServer(String),
    ApplyWeb(HostWebSpec),
    /// The way from the cloud's Internet to the host's; `None` closes it.
    ApplyEgress(Option<EgressSpec>),
    /// Accepts viewers of distributions at this address of the cloud's Internet.
    ServeViewers {
        address: SocketAddr,
        https: bool,
    },
    /// The daemon's own listeners are open.
    DaemonServes(OwnHosts),
    /// Applies all of it, with the keys of each distribution, and removes nothing.
    Add(Box<State>, BTreeMap<String, OriginKeys>),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Event {
    /// The first one.
    Begin {
        seen: BTreeMap<String, Seen>,
        distributions: BTreeSet<String>,
    },
    Answered {
        id: u64,
        result: Result<Answer, Failure>,
        seen: Option<Seen>,
    },
    Seen {
        name: String,
        seen: Seen,
    },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Answer {
    Done,
    Dropped(usize),
    Listens(SocketAddr),
    Balancer(Option<Vec<NodeCounts>>),
    Distribution(Option<Counts>),
    Log(Vec<Visit>),
    BalancerLog(Vec<escale_proxy::Visit>),
}

/// A [`PlaneError`] on the socket.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Failure {
    fault: u8,
    retry: bool,
    what: String,
    detail: Option<String>,
}

const FAULTS: [Fault; 3] = [Fault::Asked, Fault::Machine, Fault::Plane];

impl From<PlaneError> for Failure {
    fn from(error: PlaneError) -> Failure {
        let fault = FAULTS.iter().position(|fault| *fault == error.fault).unwrap_or_default() as u8;
        Failure { fault, retry: error.retry, what: error.what, detail: error.detail }
    }
}

impl From<Failure> for PlaneError {
    fn from(failure: Failure) -> PlaneError {
        let fault = FAULTS.get(usize::from(failure.fault)).copied().unwrap_or(Fault::Plane);
        let Failure { retry, what, detail, .. } = failure;
        PlaneError { fault, retry, what, detail, source: None }
    }
}

//! Virtual networks on one machine, made of real parts: a network is a namespace that routes, each interface is an
//! `eth0` in a namespace of its own, and every address that this plane reports answers packets.
//!
//! Declarative and crash-only: [`Network::apply`] makes the actual network equal to a [`VpcSpec`] and changes only what
//! differs; a new instance over the same directory adopts the existing networks without disturbing traffic.
//!
//! It never makes an address, link, route or firewall rule in the host's own namespace. The host reaches in through
//! loopback alone ([`HostWeb`]), programs by joining [`Network::namespace_path`], the daemon itself by sockets
//! that it opens inside ([`Namespace`]).
//!
//! Start at `spec.rs` for the interface, at `router.rs` for how a spec is applied, at `firewall.rs` for which
//! packets pass.

mod by_name;
mod by_server_name;
mod check;
mod counting;
mod egress;
mod elements;
mod fake;
mod filters;
mod firewall;
mod first_answer;
mod flows;
mod forward;
mod host_web;
mod internet;
mod kernel;
mod namespace;
mod netlink;
mod peerings;
mod probe;
mod reachability;
mod router;
mod ruleset;
mod spec;
mod translations;

pub use by_name::{Directory, forward_by_name};
pub use by_server_name::forward_by_server_name;
pub use egress::{Egress, EgressCounts, EgressSpec, Outside};
pub use fake::FakeNetwork;
pub use first_answer::first_answer;
pub use forward::{Forwarder, forward, forward_each};
pub use host_web::{HostWeb, HostWebSpec, LoopbackWeb};
pub use kernel::{KernelNetwork, Namespaces};
pub use namespace::Namespace;
pub use probe::{Probe, probe};
pub use reachability::{Block, DeadRoute, enters, leaves};
pub use spec::*;
pub use translations::{Traffic, Translations};

use async_trait::async_trait;
use escale_base::PlaneError;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{Ipv4Addr, SocketAddrV4},
    path::PathBuf,
    time::Duration,
};

/// The network plane. Every call may be repeated.
#[async_trait]
pub trait Network: Send + Sync {
    /// Makes the network match the spec. A fault of kind `Asked` means that nothing was changed, except where a
    /// public address turned out to be in use.
    async fn apply(&self, spec: VpcSpec) -> Result<Applied, PlaneError>;

    /// Removes a network with all its interfaces. A network that does not exist is no error.
    async fn remove(&self, vpc: &str) -> Result<(), PlaneError>;

    /// Makes the Internet's hosts and service addresses match the spec completely.
    async fn apply_internet(&self, spec: InternetSpec) -> Result<(), PlaneError>;

    /// The names of the existing networks.
    async fn vpcs(&self) -> Result<BTreeSet<String>, PlaneError>;

    /// The actual state of a network; `None` when it does not exist.
    async fn observe(&self, vpc: &str) -> Result<Option<Observed>, PlaneError>;

    /// The packets of the [counted](VpcSpec::counted) interfaces since the last call, which begins a new count. After a crash, the
    /// packets of an interrupted call are counted again. A network that does not exist is a fault of kind `Asked`.
    async fn take_flows(&self, vpc: &str) -> Result<Flows, PlaneError>;
    /// What an interface of kind [`Kind::Nat`] has translated; `None` when it does not exist.
    async fn translations(&self, vpc: &str, interface: &str) -> Result<Option<Translations>, PlaneError>;

    /// Tries a TCP connection from an interface and closes it: whether anything answers, if only with a refusal. Then packets
    /// travel in both directions. A host that stays silent for `within`, or cannot be reached, does not answer.
    async fn answers(
        &self,
        vpc: &str,
        interface: &str,
        to: SocketAddrV4,
        within: Duration,
    ) -> Result<bool, PlaneError>;

    /// A handle for opening sockets.
    fn namespace(&self, place: &Place) -> Result<Namespace, PlaneError>;

    /// The path that a container runtime or `nsenter --net=` joins. Returned even when the namespace does not exist yet.
    fn namespace_path(&self, place: &Place) -> PathBuf;

    /// Removes everything that this instance ever made. The caller must end processes inside first.
    async fn wipe(&self) -> Result<(), PlaneError>;
}

/// A place where a socket can be opened.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Place {
    Interface {
        vpc: String,
        interface: String,
    },
    /// The router of a network: its service addresses.
    Router(String),
    /// Outside of all networks: public service addresses.
    Internet,
    /// An [`InternetHost`].
    Host(String),
}

impl Place {
    pub fn interface(vpc: impl Into<String>, interface: impl Into<String>) -> Place {
        Place::Interface { vpc: vpc.into(), interface: interface.into() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Interface { vpc, interface } => write!(f, "interface '{interface}' of network '{vpc}'"),
            Place::Router(vpc) => write!(f, "the router of network '{vpc}'"),
            Place::Internet => write!(f, "the Internet"),
            Place::Host(name) => write!(f, "host '{name}'"),
        }
    }
}

/// The changes of an apply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Interfaces; one whose address changed is in both sets.
    pub added: BTreeSet<String>,
    pub removed: BTreeSet<String>,
    pub firewall: bool,
    /// How many routes were written or deleted, not counting those of added and removed interfaces.
    pub routes: usize,
    /// How many live flows were cut because no rule allows them any more.
    pub flows_cut: usize,
}

/// The actual state of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    pub interfaces: BTreeMap<String, ObservedInterface>,
    /// Whether it is attached to the Internet.
    pub internet: bool,
}

/// Counters start when the interface is made; sent and received are from the interface's point of view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedInterface {
    pub address: Ipv4Addr,
    pub up: bool,
    pub sent_bytes: u64,
    pub sent_packets: u64,
    pub received_bytes: u64,
    pub received_packets: u64,
}

/// The result of [`Network::take_flows`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flows {
    pub counts: Vec<FlowCount>,
    /// Whether there were more flows than can be counted: some are missing.
    pub skipped: bool,
}

/// The packets of one flow that an interface sent or was sent to it. Packets between an interface and the router's own services,
/// and packets without a route, are not counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlowCount {
    pub interface: String,
    /// Whether the interface sent the packets.
    pub outbound: bool,
    /// Whether its groups and the border of its subnet let them pass.
    pub accepted: bool,
    /// Private addresses, in the direction of the packets.
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    /// The IANA number.
    pub protocol: u8,
    /// 0 for protocols other than TCP and UDP.
    pub source_port: u16,
    pub destination_port: u16,
    pub packets: u64,
    /// With the IP header.
    pub bytes: u64,
}

impl ObservedInterface {
    pub(crate) fn fresh(address: Ipv4Addr) -> ObservedInterface {
        ObservedInterface {
            address,
            up: true,
            sent_bytes: 0,
            sent_packets: 0,
            received_bytes: 0,
            received_packets: 0,
        }
    }
}

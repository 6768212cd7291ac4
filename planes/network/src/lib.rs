//! Virtual networks on one machine, of real parts: a network is a namespace that routes, each interface is an
//! `eth0` in a namespace of its own, and an address that this plane says stands answers packets.
//!
//! Declarative and crash-only: [`Network::apply`] makes what stands equal to a [`VpcSpec`], changing only what
//! differs; a new instance over the same directory takes over what stands without disturbing traffic.
//!
//! Never: an address, link, route or firewall rule in the host's own namespace. The host reaches in through
//! loopback alone ([`forward()`], [`forward_by_name`]), programs by joining [`Network::namespace_path`], the daemon itself by sockets
//! that it opens inside ([`Namespace`]).
//!
//! Start at `spec.rs` for what can be asked, at `router.rs` for how it comes about, at `firewall.rs` for which
//! packet passes.

mod by_name;
mod check;
mod fake;
mod firewall;
mod flows;
mod forward;
mod internet;
mod kernel;
mod namespace;
mod netlink;
mod probe;
mod road;
mod router;
mod ruleset;
mod spec;

pub use by_name::{Directory, forward_by_name};
pub use fake::FakeNetwork;
pub use forward::{Forwarder, forward};
pub use kernel::KernelNetwork;
pub use namespace::Namespace;
pub use probe::{Probe, probe};
pub use spec::*;

use async_trait::async_trait;
use escale_base::PlaneError;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{Ipv4Addr, SocketAddrV4},
    path::PathBuf,
    time::Duration,
};

/// What a network plane does. Every call may be repeated.
#[async_trait]
pub trait Network: Send + Sync {
    /// Makes the network stand as told. A fault of kind `Asked` means that nothing was touched, except where a
    /// public address turned out to be taken.
    async fn apply(&self, spec: VpcSpec) -> Result<Applied, PlaneError>;

    /// Takes a network away with all its interfaces. None of that name is all right.
    async fn remove(&self, vpc: &str) -> Result<(), PlaneError>;

    /// Makes the Internet's hosts and service addresses stand as told, all of them.
    async fn apply_internet(&self, spec: InternetSpec) -> Result<(), PlaneError>;

    /// The networks that stand.
    async fn vpcs(&self) -> Result<BTreeSet<String>, PlaneError>;

    /// What really stands of a network; `None` when there is none.
    async fn observe(&self, vpc: &str) -> Result<Option<Observed>, PlaneError>;

    /// Tries a TCP connection from an interface and gives it up again: whether anybody answers, if only to refuse. Then packets
    /// go there and come back; who is silent for as long as `within`, or cannot be reached, does not answer.
    async fn answers(
        &self,
        vpc: &str,
        interface: &str,
        to: SocketAddrV4,
        within: Duration,
    ) -> Result<bool, PlaneError>;

    /// A handle to open sockets with.
    fn namespace(&self, place: &Place) -> Result<Namespace, PlaneError>;

    /// What a container runtime or `nsenter --net=` joins. Given also when nothing stands there yet.
    fn namespace_path(&self, place: &Place) -> PathBuf;

    /// Takes away everything that this instance ever made. Processes inside are the caller's to end first.
    async fn wipe(&self) -> Result<(), PlaneError>;
}

/// Where a socket can be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
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

/// What an apply changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Interfaces; one whose address changed is in both.
    pub added: BTreeSet<String>,
    pub removed: BTreeSet<String>,
    pub firewall: bool,
    /// How many routes were written or deleted, beside those of added and removed interfaces.
    pub routes: usize,
    /// How many live flows were cut because nothing allows them any more.
    pub flows_cut: usize,
}

/// What stands of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    pub interfaces: BTreeMap<String, ObservedInterface>,
    /// Whether it is attached to the Internet.
    pub internet: bool,
}

/// Counters are since the interface was made, as the interface sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedInterface {
    pub address: Ipv4Addr,
    pub up: bool,
    pub sent_bytes: u64,
    pub sent_packets: u64,
    pub received_bytes: u64,
    pub received_packets: u64,
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

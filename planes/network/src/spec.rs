//! Everything that the network plane can be told, as plain data.
//!
//! A [`VpcSpec`] is one isolated network with overlapping addresses allowed between networks; an
//! [`InternetSpec`] is what stands outside all of them. IPv4 only.

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, net::Ipv4Addr};

/// Public addresses are taken from here: reserved for benchmarks (RFC 2544), so never anybody's real host.
pub const PUBLIC: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(198, 18, 0, 0), 15);

/// The address that the host's own clients have on the Internet (see `Network::forward`).
pub const VISITOR: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);

/// One isolated network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcSpec {
    pub name: String,
    pub cidr: Ipv4Net,
    /// Addresses on the router at which the daemon serves this network, beside each subnet's gateway (base+1):
    /// the resolver ([`VpcSpec::resolver`]) and link-local ones. No group filters traffic to them.
    pub service_addresses: BTreeSet<Ipv4Addr>,
    pub subnets: Vec<Subnet>,
    pub route_tables: Vec<RouteTable>,
    pub interfaces: Vec<Interface>,
    pub groups: Vec<Group>,
    /// Whether the network is attached to the Internet at all.
    pub internet_gateway: bool,
    pub revoked_flows: RevokedFlows,
}

/// What becomes of live connections when what allowed them is taken away. New ones are refused in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub enum RevokedFlows {
    /// They go on until they end or time out.
    Keep,
    /// They are cut within the same `apply`.
    #[default]
    Cut,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    pub name: String,
    pub cidr: Ipv4Net,
    /// Which zone its interfaces fail with.
    pub zone: String,
    pub route_table: String,
}

/// Where packets go that leave the network's own addresses. Those inside always reach each other's interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTable {
    pub name: String,
    pub routes: Vec<Route>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    pub destination: Ipv4Net,
    pub target: Target,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// Inside the network. Always there; may be named for completeness, with the network's own CIDR.
    Local,
    /// Out, under the interface's public address; dropped when it has none.
    InternetGateway,
    /// To an interface that forwards: a NAT gateway, or any with `source_dest_check` off.
    Interface(String),
    /// Dropped without a word.
    Blackhole,
    /// Straight to a public service, without public address, NAT or Internet gateway.
    ServiceEndpoint,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    pub name: String,
    pub subnet: String,
    pub address: Ipv4Addr,
    /// Translated 1:1 by the Internet gateway, both ways.
    pub public_address: Option<Ipv4Addr>,
    /// What no group of its allows is dropped; with no group, everything is.
    pub groups: BTreeSet<String>,
    /// Whether it may only send from, and be sent to, its own address.
    pub source_dest_check: bool,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Whatever the caller puts into its namespace.
    Plain,
    /// A NAT gateway: forwards for the whole network under its own address. Has no groups.
    Nat,
}

/// A firewall group: stateful, only allows. An interface's groups add up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub name: String,
    pub ingress: Vec<Rule>,
    pub egress: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    pub protocol: Protocol,
    pub peer: Peer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    Any,
    Tcp(Ports),
    Udp(Ports),
    /// `None` is any; a code needs a kind.
    Icmp {
        kind: Option<u8>,
        code: Option<u8>,
    },
    /// By its IANA number, whole.
    Number(u8),
}

/// Both ends belong to the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    pub first: u16,
    pub last: u16,
}

impl Ports {
    pub const ALL: Ports = Ports { first: 0, last: u16::MAX };

    pub fn one(port: u16) -> Ports {
        Ports { first: port, last: port }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Peer {
    Cidr(Ipv4Net),
    /// The private addresses of whatever interface is in that group.
    Group(String),
    /// A prefix list, by value.
    Prefixes(Vec<Ipv4Net>),
}

/// What stands on the Internet. Public addresses of interfaces are not told here: they follow from the networks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InternetSpec {
    /// Addresses at which the daemon serves the Internet: sockets in [`Place::Internet`](crate::Place) bind them.
    pub service_addresses: BTreeSet<Ipv4Addr>,
    pub hosts: Vec<InternetHost>,
}

/// A machine on the Internet that belongs to nobody's network: for tests and drills.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InternetHost {
    pub name: String,
    pub address: Ipv4Addr,
}

impl VpcSpec {
    /// The network's resolver: base+2.
    pub fn resolver(&self) -> Ipv4Addr {
        nth(self.cidr, 2)
    }

    pub fn subnet(&self, name: &str) -> Option<&Subnet> {
        self.subnets.iter().find(|s| s.name == name)
    }

    pub fn interface(&self, name: &str) -> Option<&Interface> {
        self.interfaces.iter().find(|i| i.name == name)
    }
}

impl Subnet {
    /// Its gateway, an address of the router: base+1.
    pub fn gateway(&self) -> Ipv4Addr {
        nth(self.cidr, 1)
    }
}

/// The `n`th address of a network, counted from its base.
pub(crate) fn nth(net: Ipv4Net, n: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(net.network()).wrapping_add(n))
}

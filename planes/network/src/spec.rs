//! The complete interface of the network plane, as plain data.
//!
//! A [`VpcSpec`] is one isolated network; address ranges of different networks may overlap. An
//! [`InternetSpec`] is everything outside of all networks. IPv4 only.

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, net::Ipv4Addr};

/// Public addresses are taken from this range: it is reserved for benchmarks (RFC 2544), so it is never a real host's.
pub const PUBLIC: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(198, 18, 0, 0), 15);

/// The source address of the host's own clients on the Internet (see `Network::forward`).
pub const VISITOR: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);

/// One isolated network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcSpec {
    pub name: String,
    pub cidr: Ipv4Net,
    /// Addresses on the router at which the daemon serves this network, in addition to each subnet's gateway (base+1):
    /// the resolver ([`VpcSpec::resolver`]) and link-local ones. No group filters traffic to them.
    pub service_addresses: BTreeSet<Ipv4Addr>,
    pub subnets: Vec<Subnet>,
    pub route_tables: Vec<RouteTable>,
    pub interfaces: Vec<Interface>,
    pub groups: Vec<Group>,
    pub filters: Vec<Filter>,
    pub peerings: Vec<Peering>,
    pub remote_groups: Vec<RemoteGroup>,
    /// Interfaces whose packets are counted by flow ([`Network::take_flows`](crate::Network::take_flows)). Counting costs only
    /// networks that have such an interface.
    pub counted: BTreeSet<String>,
    /// Whether the network is attached to the Internet at all.
    pub internet_gateway: bool,
    pub revoked_flows: RevokedFlows,
    /// A TCP connection through a NAT gateway ends after this long without a packet; the next one is answered with a reset.
    pub gateway_idle_s: u32,
}

/// The effect on live connections of removing the rule that allowed them. New ones are refused in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Default)]
pub enum RevokedFlows {
    /// They continue until they end or time out.
    Keep,
    /// They are cut within the same `apply`.
    #[default]
    Cut,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    pub name: String,
    pub cidr: Ipv4Net,
    /// The zone that its interfaces fail with.
    pub zone: String,
    pub route_table: String,
    /// The filter at the subnet's border; without one, all packets cross it.
    pub filter: Option<String>,
}

/// Routes packets to destinations outside the network's own addresses. Interfaces inside always reach each other.
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
    /// Inside the network. Always present; may be listed for completeness, with the network's own CIDR.
    Local,
    /// To the Internet, under the interface's public address; dropped when it has none.
    InternetGateway,
    /// To an interface that forwards: a NAT gateway, or any with `source_dest_check` off.
    Interface(String),
    /// Dropped silently.
    Blackhole,
    /// Directly to a public service, without public address, NAT or Internet gateway.
    ServiceEndpoint,
    /// To the other network of that peering. Packets from or to addresses outside of the two networks are dropped.
    Peering(String),
}

/// A link to another network. Packets pass it once both networks have a peering of this name, each with the other. It joins
/// these two ranges only: what one of them reaches elsewhere is not reachable through it, nor are service addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peering {
    pub name: String,
    /// The name of the other network.
    pub network: String,
    /// The other network's range.
    pub cidr: Ipv4Net,
}

/// A group of the other network of a peering, as far as this network's rules need it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteGroup {
    pub name: String,
    pub peering: String,
    pub addresses: BTreeSet<Ipv4Addr>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    pub name: String,
    pub subnet: String,
    pub address: Ipv4Addr,
    /// Translated 1:1 by the Internet gateway, in both directions.
    pub public_address: Option<Ipv4Addr>,
    /// Traffic that none of its groups allows is dropped; without a group, all traffic is.
    pub groups: BTreeSet<String>,
    /// Whether it may only send from, and receive at, its own address.
    pub source_dest_check: bool,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The caller decides what runs in its namespace.
    Plain,
    /// A NAT gateway: forwards for the whole network under its own address. Has no groups.
    Nat,
}

/// A firewall group: stateful, with allow rules only. The rules of an interface's groups add up.
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

/// A packet filter at the borders of subnets. It is stateless: it checks each packet by itself, replies too, also those of
/// connections that existed before the filter. Packets between two interfaces of the same subnet do not cross a border, and
/// no filter applies to packets between an interface and the router itself (its gateway and service addresses).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    pub name: String,
    /// The first rule that matches decides; a packet that no rule matches is dropped.
    pub ingress: Vec<FilterRule>,
    pub egress: Vec<FilterRule>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterRule {
    pub allow: bool,
    /// Ports are those of the destination.
    pub protocol: Protocol,
    /// The source of packets into the subnet, the destination of packets out of it. Private addresses: the Internet gateway
    /// translates outside of the border.
    pub peer: Ipv4Net,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    Any,
    Tcp(Ports),
    Udp(Ports),
    /// `None` matches any; a code needs a kind.
    Icmp {
        kind: Option<u8>,
        code: Option<u8>,
    },
    /// A whole protocol, by its IANA number.
    Number(u8),
}

impl Protocol {
    /// Whether it matches TCP packets to this port.
    pub(crate) fn matches_tcp(self, port: u16) -> bool {
        /// TCP's protocol number.
        const TCP: u8 = 6;
        match self {
            Protocol::Any | Protocol::Number(TCP) => true,
            Protocol::Tcp(ports) => (ports.first..=ports.last).contains(&port),
            Protocol::Udp(_) | Protocol::Icmp { .. } | Protocol::Number(_) => false,
        }
    }
}

/// An inclusive range of ports.
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
    /// The private addresses of all interfaces in that group or remote group.
    Group(String),
    /// The addresses of a prefix list.
    Prefixes(Vec<Ipv4Net>),
}

/// The Internet. Public addresses of interfaces are not listed here: they follow from the networks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InternetSpec {
    /// Addresses at which the daemon serves the Internet: sockets in [`Place::Internet`](crate::Place) bind them.
    pub service_addresses: BTreeSet<Ipv4Addr>,
    pub hosts: Vec<InternetHost>,
}

/// A machine on the Internet outside of all networks: for tests and drills.
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

    pub fn filter(&self, name: &str) -> Option<&Filter> {
        self.filters.iter().find(|f| f.name == name)
    }

    pub fn interface(&self, name: &str) -> Option<&Interface> {
        self.interfaces.iter().find(|i| i.name == name)
    }

    pub fn peering(&self, name: &str) -> Option<&Peering> {
        self.peerings.iter().find(|p| p.name == name)
    }

    /// Whether an interface with this address, here or in a peered network, is in the group.
    pub(crate) fn is_member(&self, group: &str, address: Ipv4Addr) -> bool {
        let has = |i: &Interface| i.address == address && i.groups.contains(group);
        let remote = self.remote_groups.iter().filter(|g| g.name == group);
        self.interfaces.iter().any(has) || remote.flat_map(|g| &g.addresses).any(|a| *a == address)
    }
}

impl Subnet {
    /// The subnet's gateway, an address of the router: base+1.
    pub fn gateway(&self) -> Ipv4Addr {
        nth(self.cidr, 1)
    }
}

/// The `n`th address of a network, counted from its base.
pub(crate) fn nth(net: Ipv4Net, n: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(net.network()).wrapping_add(n))
}

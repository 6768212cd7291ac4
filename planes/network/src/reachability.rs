//! Whether a specification allows a connection, and what stops it: the network in memory answers by it, since it has no packets to
//! send, and a caller can explain with it what packets do on the real one.
//!
//! Follows the path of a packet and of the reply: through the interface's groups, across the borders of subnets, along the
//! subnet's routes, through address translation.

use crate::{
    filters::{Hop, passes},
    spec::*,
};
use ipnet::Ipv4Net;
use std::net::{Ipv4Addr, SocketAddrV4};

/// What stops a connection. Names are those of the specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// No interface has this name, or the gateway's interface is missing.
    NoInterface(String),
    /// No interface of the network has this address.
    NoAddress(Ipv4Addr),
    /// No rule of the interface's groups allows it.
    Groups { interface: String, is_inbound: bool, peer: Ipv4Addr, port: u16 },
    /// The filter of a subnet stops a packet, or a reply to one of a client's ports. `rule` is the index of the rule that denies;
    /// `None` if no rule matches.
    Filter {
        subnet: String,
        filter: String,
        is_inbound: bool,
        peer: Ipv4Addr,
        port: u16,
        rule: Option<usize>,
    },
    /// The route table of the subnet has no route to the address.
    NoRoute { subnet: String, table: String, to: Ipv4Addr },
    /// The route leads nowhere.
    Route { table: String, destination: Ipv4Net, why: DeadRoute },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadRoute {
    Blackhole,
    /// The network is not attached to the Internet.
    NotAttached,
    /// The Internet gateway translates public addresses, and the interface has none.
    NoPublicAddress,
    /// The interface is no NAT gateway, or a second one in a row.
    NoGateway,
    /// The peering does not exist, or the other network does not have it.
    NoPeering,
    /// The address is outside of the other network's range: a peering leads no further.
    BeyondPeer,
}

/// Whether `to` would answer the interface; `None` when the interface does not exist. `exists`: whether an address
/// exists on the Internet.
pub(crate) fn answers<'a>(
    vpc: &'a VpcSpec,
    others: &impl Fn(&str) -> Option<&'a VpcSpec>,
    interface: &str,
    to: SocketAddrV4,
    exists: impl Fn(Ipv4Addr) -> bool,
) -> Option<bool> {
    vpc.interface(interface)?;
    // That the interface exists there is a part of `leaves`.
    let of_network = |net: &Ipv4Net| net.contains(to.ip());
    let peers = vpc.peerings.iter().map(|p| &p.cidr);
    let is_there = of_network(&vpc.cidr) || peers.into_iter().any(of_network) || exists(*to.ip());
    Some(is_there && leaves(vpc, others, interface, to).is_ok())
}

/// Whether the network lets TCP connections of an interface to an address pass, and their replies. Whether something answers at a
/// public address is not part of it. `others` are the networks that it may have peerings with, by name.
pub fn leaves<'a>(
    vpc: &'a VpcSpec,
    others: &impl Fn(&str) -> Option<&'a VpcSpec>,
    interface: &str,
    to: SocketAddrV4,
) -> Result<(), Block> {
    let from = vpc.interface(interface).ok_or_else(|| Block::NoInterface(interface.to_owned()))?;
    allows(vpc, from, false, to.port(), *to.ip())?;
    if !vpc.cidr.contains(to.ip()) {
        return follow_route(vpc, others, from, to, true);
    }
    let there = vpc.interfaces.iter().find(|i| i.address == *to.ip());
    let there = there.ok_or(Block::NoAddress(*to.ip()))?;
    allows(vpc, there, true, to.port(), from.address)?;
    passes(vpc, &Hop { from: Some(from), to: Some(there), source: from.address, destination: to })
}

/// Whether TCP connections from an address on the Internet to an interface's public address pass, and their replies.
pub fn enters(vpc: &VpcSpec, interface: &str, port: u16, client: Ipv4Addr) -> Result<(), Block> {
    let to = vpc.interface(interface).ok_or_else(|| Block::NoInterface(interface.to_owned()))?;
    // The replies leave by the subnet's routes.
    let (table, route) = route(vpc, to, client)?;
    let why = match route.target {
        Target::InternetGateway if !vpc.internet_gateway => Some(DeadRoute::NotAttached),
        Target::InternetGateway if to.public_address.is_none() => Some(DeadRoute::NoPublicAddress),
        Target::InternetGateway => None,
        Target::Blackhole => Some(DeadRoute::Blackhole),
        Target::Interface(_) | Target::Local | Target::ServiceEndpoint | Target::Peering(_) => {
            Some(DeadRoute::NoGateway)
        }
    };
    if let Some(why) = why {
        return Err(Block::Route { table: table.to_owned(), destination: route.destination, why });
    }
    let destination = SocketAddrV4::new(to.address, port);
    passes(vpc, &Hop { from: None, to: Some(to), source: client, destination })?;
    allows(vpc, to, true, port, client)
}

/// The route of the interface's subnet to an address: the one with the longest prefix.
fn route<'a>(vpc: &'a VpcSpec, from: &Interface, to: Ipv4Addr) -> Result<(&'a str, &'a Route), Block> {
    let name = vpc.subnet(&from.subnet).map_or("", |s| s.route_table.as_str());
    let table = vpc.route_tables.iter().find(|t| t.name == name);
    let routes = table.into_iter().flat_map(|t| &t.routes).filter(|r| r.destination.contains(&to));
    let best = routes.max_by_key(|r| r.destination.prefix_len());
    let missing = || Block::NoRoute { subnet: from.subnet.clone(), table: name.to_owned(), to };
    best.map(|route| (name, route)).ok_or_else(missing)
}

/// Follows the routes of the interface's subnet.
fn follow_route<'a>(
    vpc: &'a VpcSpec,
    others: &impl Fn(&str) -> Option<&'a VpcSpec>,
    from: &Interface,
    to: SocketAddrV4,
    may_translate: bool,
) -> Result<(), Block> {
    let crosses = |next: Option<&Interface>| {
        passes(vpc, &Hop { from: Some(from), to: next, source: from.address, destination: to })
    };
    let (table, route) = route(vpc, from, *to.ip())?;
    let dead = |why| Block::Route { table: table.to_owned(), destination: route.destination, why };
    match &route.target {
        Target::InternetGateway if !vpc.internet_gateway => Err(dead(DeadRoute::NotAttached)),
        Target::InternetGateway if from.public_address.is_none() => Err(dead(DeadRoute::NoPublicAddress)),
        Target::InternetGateway | Target::ServiceEndpoint => crosses(None),
        // NAT gateways in a row could form a loop. Forwarding by a plain interface depends on its program, and there is none here.
        Target::Interface(name) if may_translate => {
            let gateway = vpc.interface(name).filter(|i| i.kind == Kind::Nat);
            let gateway = gateway.ok_or_else(|| dead(DeadRoute::NoGateway))?;
            crosses(Some(gateway))?;
            follow_route(vpc, others, gateway, to, false)
        }
        Target::Interface(_) | Target::Local => Err(dead(DeadRoute::NoGateway)),
        Target::Blackhole => Err(dead(DeadRoute::Blackhole)),
        Target::Peering(name) => {
            let peering = vpc.peering(name).ok_or_else(|| dead(DeadRoute::NoPeering))?;
            let peer = others(&peering.network);
            let peer = peer.filter(|peer| peer.peering(name).is_some_and(|p| p.network == vpc.name));
            let peer = peer.ok_or_else(|| dead(DeadRoute::NoPeering))?;
            if !peering.cidr.contains(to.ip()) {
                return Err(dead(DeadRoute::BeyondPeer));
            }
            crosses(None)?;
            arrives(peer, name, from.address, to)
        }
    }
}

/// Whether the other network of a peering lets a connection from there to one of its interfaces pass, and its replies.
fn arrives(vpc: &VpcSpec, peering: &str, source: Ipv4Addr, to: SocketAddrV4) -> Result<(), Block> {
    let there = vpc.interfaces.iter().find(|i| i.address == *to.ip());
    let there = there.ok_or(Block::NoAddress(*to.ip()))?;
    passes(vpc, &Hop { from: None, to: Some(there), source, destination: to })?;
    allows(vpc, there, true, to.port(), source)?;
    let (table, back) = route(vpc, there, source)?;
    let why = match &back.target {
        Target::Peering(name) if name == peering => return Ok(()),
        Target::Peering(_) => DeadRoute::NoPeering,
        Target::Blackhole => DeadRoute::Blackhole,
        // The reply would have another source, or no way at all.
        _ => DeadRoute::NoGateway,
    };
    Err(Block::Route { table: table.to_owned(), destination: back.destination, why })
}

fn allows(
    vpc: &VpcSpec,
    interface: &Interface,
    is_inbound: bool,
    port: u16,
    peer: Ipv4Addr,
) -> Result<(), Block> {
    let groups = vpc.groups.iter().filter(|g| interface.groups.contains(&g.name));
    let mut rules = groups.flat_map(|g| if is_inbound { &g.ingress } else { &g.egress });
    if rules.any(|rule| rule.protocol.matches_tcp(port) && is_peer(vpc, &rule.peer, peer)) {
        return Ok(());
    }
    Err(Block::Groups { interface: interface.name.clone(), is_inbound, peer, port })
}

fn is_peer(vpc: &VpcSpec, peer: &Peer, address: Ipv4Addr) -> bool {
    match peer {
        Peer::Cidr(net) => net.contains(&address),
        Peer::Prefixes(nets) => nets.iter().any(|net| net.contains(&address)),
        Peer::Group(group) => vpc.is_member(group, address),
    }
}

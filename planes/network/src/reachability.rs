//! Whether a specification allows a connection: the network in memory answers by it, since it has no packets to send.
//!
//! Follows the path of a packet and of the reply: through the interface's groups, across the borders of subnets, along the
//! subnet's routes, through address translation.

use crate::{
    filters::{Hop, passes},
    spec::*,
};
use std::net::{Ipv4Addr, SocketAddrV4};

/// Whether `to` would answer the interface; `None` when the interface does not exist. `exists`: whether an address
/// exists on the Internet.
pub(crate) fn answers(
    vpc: &VpcSpec,
    interface: &str,
    to: SocketAddrV4,
    exists: impl Fn(Ipv4Addr) -> bool,
) -> Option<bool> {
    let from = vpc.interface(interface)?;
    if !allows(vpc, from, |g| &g.egress, to.port(), *to.ip()) {
        return Some(false);
    }
    if vpc.cidr.contains(to.ip()) {
        let there = vpc.interfaces.iter().find(|i| i.address == *to.ip());
        return Some(there.is_some_and(|i| {
            allows(vpc, i, |g| &g.ingress, to.port(), from.address)
                && passes(vpc, &Hop { from: Some(from), to: Some(i), source: from.address, destination: to })
        }));
    }
    Some(exists(*to.ip()) && is_routed(vpc, from, to, true))
}

/// Follows the routes of the interface's subnet, the longest prefix first.
fn is_routed(vpc: &VpcSpec, from: &Interface, to: SocketAddrV4, may_translate: bool) -> bool {
    let crosses = |next: Option<&Interface>| {
        passes(vpc, &Hop { from: Some(from), to: next, source: from.address, destination: to })
    };
    let table = vpc.subnet(&from.subnet).map(|s| &s.route_table);
    let table = vpc.route_tables.iter().find(|t| Some(&t.name) == table);
    let routes = table.into_iter().flat_map(|t| &t.routes).filter(|r| r.destination.contains(to.ip()));
    match routes.max_by_key(|r| r.destination.prefix_len()).map(|r| &r.target) {
        Some(Target::InternetGateway) => {
            vpc.internet_gateway && from.public_address.is_some() && crosses(None)
        }
        Some(Target::ServiceEndpoint) => crosses(None),
        // NAT gateways in a row could form a loop. Forwarding by a plain interface depends on its program, and there is none here.
        Some(Target::Interface(name)) if may_translate => {
            let gateway = vpc.interface(name).filter(|i| i.kind == Kind::Nat);
            gateway.is_some_and(|i| crosses(Some(i)) && is_routed(vpc, i, to, false))
        }
        Some(Target::Interface(_) | Target::Local | Target::Blackhole) | None => false,
    }
}

fn allows(
    vpc: &VpcSpec,
    interface: &Interface,
    side: impl Fn(&Group) -> &Vec<Rule>,
    port: u16,
    peer: Ipv4Addr,
) -> bool {
    let groups = vpc.groups.iter().filter(|g| interface.groups.contains(&g.name));
    let mut rules = groups.flat_map(side);
    rules.any(|rule| rule.protocol.matches_tcp(port) && is_peer(vpc, &rule.peer, peer))
}

fn is_peer(vpc: &VpcSpec, peer: &Peer, address: Ipv4Addr) -> bool {
    match peer {
        Peer::Cidr(net) => net.contains(&address),
        Peer::Prefixes(nets) => nets.iter().any(|net| net.contains(&address)),
        Peer::Group(group) => vpc.interfaces.iter().any(|i| i.address == address && i.groups.contains(group)),
    }
}

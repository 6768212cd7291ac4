//! Translates a network's spec into a firewall table, and evaluates the spec for a single flow. Pure.
//!
//! Four base chains on forward, since `accept` ends only one of them: the border of the sender's subnet (`filters.rs`) and its
//! egress, then the border of the receiver's subnet and its ingress. Egress and ingress have the policy drop. Verdict maps select
//! a chain per interface, which jumps to one chain per group.

use crate::{
    filters,
    peerings::{PEERING_LINKS, link_name},
    ruleset::{Chain, Map, Ruleset},
    spec::*,
    translations,
};
use escale_base::limits;
use ipnet::Ipv4Net;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

/// The router's link to the Internet, and its link to public services that needs no Internet gateway.
pub(crate) const INTERNET_LINK: &str = "internet";
pub(crate) const ENDPOINT_LINK: &str = "endpoint";

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;

/// The router's table.
pub(crate) fn router(spec: &VpcSpec) -> Ruleset {
    let mut set = base(spec);
    add_peerings(&mut set, spec);
    for group in &spec.groups {
        let members = spec.interfaces.iter().filter(|i| i.groups.contains(&group.name));
        set.sets.insert(format!("g_{}", group.name), members.map(|i| i.address.to_string()).collect());
        for (way, rules) in [(Way::In, &group.ingress), (Way::Out, &group.egress)] {
            let rules = rules.iter().filter_map(|r| rule(spec, r, way)).collect();
            set.chains.insert(group_chain(&group.name, way), Chain { hook: None, rules });
        }
    }
    for group in &spec.remote_groups {
        let addresses = group.addresses.iter().map(Ipv4Addr::to_string).collect();
        set.sets.insert(format!("g_{}", group.name), addresses);
    }
    for i in &spec.interfaces {
        for way in [Way::In, Way::Out] {
            // Without a group nothing matches, and the policy drops.
            if let Some(chain) = interface_chain(&mut set, spec, i, way) {
                let map = if way == Way::In { "ingress" } else { "egress" };
                put(&mut set, map, format!("\"{}\"", i.address), format!("jump {chain}"));
            }
        }
        if let Some(table) = spec.subnet(&i.subnet).map(|s| table_id(&s.route_table)) {
            put(&mut set, "route_marks", format!("\"{}\"", i.address), format!("{table:#010x}"));
        }
        if let Some(public) = i.public_address {
            put(&mut set, "public_in", public.to_string(), i.address.to_string());
            put(&mut set, "public_out", i.address.to_string(), public.to_string());
            set.sets.entry("has_public".into()).or_default().insert(i.address.to_string());
        }
    }
    filters::add(&mut set, spec);
    set
}

/// The chain of an interface. Interfaces with the same groups share one, so that most new interfaces are only new elements of sets and
/// maps: nft reads all chains for each change, but no elements.
fn interface_chain(set: &mut Ruleset, spec: &VpcSpec, i: &Interface, way: Way) -> Option<String> {
    let side = if way == Way::In { "in" } else { "out" };
    let groups: Vec<&str> = i.groups.iter().map(String::as_str).collect();
    let (chain, rules) = match (i.kind, groups.as_slice(), way) {
        (Kind::Nat, _, Way::In) => (format!("{side}_nat"), vec![format!("ip saddr {} accept", spec.cidr)]),
        (Kind::Nat, _, Way::Out) => (format!("{side}_nat"), vec!["accept".into()]),
        (Kind::Plain, [], _) => return None,
        (Kind::Plain, [group], _) => return Some(group_chain(group, way)),
        (Kind::Plain, all, _) => {
            let joined = all.join(".");
            let name = if joined.len() <= JOINED_BYTES { joined } else { format!("of_{}", i.name) };
            let jumps = all.iter().map(|group| format!("jump {}", group_chain(group, way))).collect();
            (format!("{side}_all_{name}"), jumps)
        }
    };
    set.chains.entry(chain.clone()).or_insert(Chain { hook: None, rules });
    Some(chain)
}

/// Longest part of a chain's name that groups make up; nftables allows 255 bytes in all.
const JOINED_BYTES: usize = 200;

/// The table in a NAT gateway's own namespace: it forwards for the network, under the gateway's address.
pub(crate) fn nat(cidr: Ipv4Net, address: Ipv4Addr) -> Ruleset {
    let mut set = Ruleset::default();
    let hooked = [
        (
            "postrouting",
            "type nat hook postrouting priority srcnat; policy accept;",
            // Not the gateway's own packets, which have that address already.
            vec![format!("ip saddr {cidr} ip saddr != {address} snat to {address}")],
        ),
        (
            "forward",
            "type filter hook forward priority 0; policy drop;",
            vec![
                "ct state established,related accept".into(),
                // The middle of a connection that timed out.
                "ct state new tcp flags & (fin | syn | rst | ack) != syn reject with tcp reset".into(),
                format!(
                    "ct state new meter flows {{ ip saddr ct count over {} }} drop",
                    limits::egress::PER_TASK
                ),
                format!("ct state new ip saddr {cidr} accept"),
            ],
        ),
        (
            "input",
            "type filter hook input priority 0; policy drop;",
            vec!["ct state established,related accept".into()],
        ),
    ];
    for (name, hook, rules) in hooked {
        set.chains.insert(name.into(), Chain { hook: Some(hook), rules });
    }
    translations::count(&mut set, cidr);
    set
}

/// A route table's number in the kernel, which is also its mark. Derived from the name, so it is the same after a restart.
pub(crate) fn table_id(name: &str) -> u32 {
    // FNV-1a; the fixed top bits avoid the numbers of the kernel's own tables.
    let hash = name.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    0x1000_0000 | (hash & 0x0fff_ffff)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

fn group_chain(group: &str, way: Way) -> String {
    format!("{}_{group}", if way == Way::In { "gin" } else { "gout" })
}

fn put(set: &mut Ruleset, map: &str, key: String, value: String) {
    if let Some(map) = set.maps.get_mut(map) {
        map.elements.insert(key, value);
    }
}

fn base(spec: &VpcSpec) -> Ruleset {
    let mut set = Ruleset::default();
    let map = |of| Map { of, elements: BTreeMap::new() };
    set.maps.insert("route_marks".into(), map("ifname : mark"));
    set.maps.insert("egress".into(), map("ifname : verdict"));
    set.maps.insert("ingress".into(), map("ifname : verdict"));
    set.maps.insert("public_in".into(), map("ipv4_addr : ipv4_addr"));
    set.maps.insert("public_out".into(), map("ipv4_addr : ipv4_addr"));
    set.sets.insert("has_public".into(), BTreeSet::new());
    set.sets.insert("own".into(), spec.service_addresses.iter().map(Ipv4Addr::to_string).collect());
    let outside = format!("{{ \"{INTERNET_LINK}\", \"{ENDPOINT_LINK}\" }}");
    let hooked = [
        (
            "prerouting_mark",
            "type filter hook prerouting priority mangle; policy accept;",
            vec!["meta mark set iifname map @route_marks".to_owned()],
        ),
        (
            "prerouting_nat",
            "type nat hook prerouting priority dstnat; policy accept;",
            vec![format!("iifname \"{INTERNET_LINK}\" dnat to ip daddr map @public_in")],
        ),
        (
            "postrouting_nat",
            "type nat hook postrouting priority srcnat; policy accept;",
            vec![
                format!("oifname \"{INTERNET_LINK}\" snat to ip saddr map @public_out"),
                format!("oifname \"{ENDPOINT_LINK}\" masquerade"),
            ],
        ),
        (
            "forward_egress",
            "type filter hook forward priority 0; policy drop;",
            vec![
                "ct state vmap { established : accept, related : accept, invalid : drop }".to_owned(),
                format!("iifname \"{INTERNET_LINK}\" ct status dnat accept"),
                format!("iifname {outside} drop"),
                "iifname vmap @egress".to_owned(),
            ],
        ),
        (
            "forward_ingress",
            "type filter hook forward priority 10; policy drop;",
            vec![
                "ct state established,related accept".to_owned(),
                // An interface without a public address has no way to the Internet gateway, whatever its groups allow. As on AWS, it
                // is not the interface that rejects such a packet.
                format!("oifname \"{INTERNET_LINK}\" ip saddr != @has_public drop"),
                format!("oifname {outside} accept"),
                "oifname vmap @ingress".to_owned(),
            ],
        ),
        (
            "input",
            "type filter hook input priority 0; policy drop;",
            vec![
                "ct state established,related accept".to_owned(),
                "iifname \"lo\" accept".to_owned(),
                format!("iifname {outside} drop"),
                format!("iifname \"{PEERING_LINKS}*\" drop"),
                "ip daddr @own accept".to_owned(),
            ],
        ),
    ];
    for (name, hook, rules) in hooked {
        set.chains.insert(name.into(), Chain { hook: Some(hook), rules });
    }
    set
}

/// Packets pass a peering only between the ranges of the two networks: it forwards for nobody else, in neither direction, and
/// the input chain lets none of them in: the services of a network are not those of its peers.
/// The rules come last, so that one more of them does not rewrite the others.
fn add_peerings(set: &mut Ruleset, spec: &VpcSpec) {
    let own = spec.cidr;
    for peering in &spec.peerings {
        let (link, cidr) = (link_name(&peering.name), peering.cidr);
        let arriving = format!("iifname \"{link}\" ip saddr {cidr} ip daddr {own} accept");
        let leaving = format!("oifname \"{link}\" ip saddr {own} ip daddr {cidr} accept");
        for (chain, rule) in [("forward_egress", arriving), ("forward_ingress", leaving)] {
            if let Some(chain) = set.chains.get_mut(chain) {
                chain.rules.push(rule);
            }
        }
    }
}

/// `None` when the rule cannot match any packet.
fn rule(spec: &VpcSpec, rule: &Rule, way: Way) -> Option<String> {
    let link = if way == Way::In { "iifname" } else { "oifname" };
    let remote = |group: &str| spec.remote_groups.iter().find(|g| g.name == group);
    let side = if way == Way::In { "saddr" } else { "daddr" };
    let peer = match &rule.peer {
        Peer::Cidr(net) if net.prefix_len() == 0 => String::new(),
        Peer::Cidr(net) => format!("ip {side} {} ", net.trunc()),
        // Two peers may use the same addresses, so the link is a part of the match.
        Peer::Group(group) => match remote(group) {
            Some(remote) => {
                format!("{link} \"{}\" ip {side} @g_{group} ", link_name(&remote.peering))
            }
            None => format!("ip {side} @g_{group} "),
        },
        // Without an address part, the rule would match every peer.
        Peer::Prefixes(list) if list.is_empty() => return None,
        Peer::Prefixes(list) => {
            // nft refuses overlapping intervals.
            let list: Vec<String> = Ipv4Net::aggregate(list).iter().map(Ipv4Net::to_string).collect();
            format!("ip {side} {{ {} }} ", list.join(", "))
        }
    };
    let protocol = protocol(rule.protocol);
    Some(format!("{peer}{protocol}accept"))
}

/// The part of a rule that matches a protocol; empty for all protocols.
pub(crate) fn protocol(protocol: Protocol) -> String {
    match protocol {
        Protocol::Any => String::new(),
        Protocol::Tcp(p) => format!("tcp dport {}-{} ", p.first, p.last),
        Protocol::Udp(p) => format!("udp dport {}-{} ", p.first, p.last),
        Protocol::Icmp { kind: None, .. } => format!("ip protocol {ICMP} "),
        Protocol::Icmp { kind: Some(kind), code: None } => format!("icmp type {kind} "),
        Protocol::Icmp { kind: Some(kind), code: Some(code) } => {
            format!("icmp type {kind} icmp code {code} ")
        }
        Protocol::Number(n) => format!("ip protocol {n} "),
    }
}

/// A flow in the router's connection tracking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) protocol: u8,
    /// The source as sent by the initiator.
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    /// Source and destination port; type and code for ICMP.
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) icmp: Option<(u8, u8, u16)>,
    /// The source and destination of replies: they differ from the above where addresses are translated.
    pub(crate) reply_source: Ipv4Addr,
    pub(crate) reply_destination: Ipv4Addr,
}

/// Whether the spec still allows this flow.
pub(crate) fn allows(spec: &VpcSpec, flow: &Flow) -> bool {
    let by_address = |a: Ipv4Addr| spec.interfaces.iter().find(|i| i.address == a);
    let (sender, receiver) = (by_address(flow.source), by_address(flow.reply_source));
    let vanished = |a: Ipv4Addr| {
        let own = spec.service_addresses.contains(&a) || spec.subnets.iter().any(|s| s.gateway() == a);
        spec.cidr.contains(&a) && by_address(a).is_none() && !own
    };
    if vanished(flow.source) || vanished(flow.reply_source) {
        return false;
    }
    // For translated flows: does the interface still have the same public address?
    let came_in = flow.destination != flow.reply_source;
    if came_in && receiver.is_none_or(|r| r.public_address != Some(flow.destination)) {
        return false;
    }
    let went_out = flow.source != flow.reply_destination && PUBLIC.contains(&flow.reply_destination);
    if went_out && sender.is_none_or(|s| s.public_address != Some(flow.reply_destination)) {
        return false;
    }
    // After the checks of addresses: a flow of a removed interface ends in any case.
    if spec.revoked_flows == RevokedFlows::Keep {
        return true;
    }
    let may_send = sender.is_none_or(|i| match i.kind {
        Kind::Nat => true,
        Kind::Plain => permits(spec, i, Way::Out, flow, flow.reply_source),
    });
    let may_receive = receiver.is_none_or(|i| match i.kind {
        Kind::Nat => spec.cidr.contains(&flow.source),
        Kind::Plain => permits(spec, i, Way::In, flow, flow.source),
    });
    may_send && may_receive
}

fn permits(spec: &VpcSpec, interface: &Interface, way: Way, flow: &Flow, peer: Ipv4Addr) -> bool {
    let groups = spec.groups.iter().filter(|g| interface.groups.contains(&g.name));
    let mut rules = groups.flat_map(|g| if way == Way::In { &g.ingress } else { &g.egress });
    rules.any(|r| {
        let who = match &r.peer {
            Peer::Cidr(net) => net.contains(&peer),
            Peer::Group(group) => spec.is_member(group, peer),
            Peer::Prefixes(list) => list.iter().any(|n| n.contains(&peer)),
        };
        let ports = |p: Ports| (p.first..=p.last).contains(&flow.destination_port);
        let what = match r.protocol {
            Protocol::Any => true,
            Protocol::Tcp(p) => flow.protocol == TCP && ports(p),
            Protocol::Udp(p) => flow.protocol == UDP && ports(p),
            Protocol::Icmp { kind, code } => flow.icmp.is_some_and(|(k, c, _)| {
                flow.protocol == ICMP && kind.is_none_or(|x| x == k) && code.is_none_or(|x| x == c)
            }),
            Protocol::Number(n) => flow.protocol == n,
        };
        who && what
    })
}

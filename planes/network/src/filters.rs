//! The stateless filters at the borders of subnets: as chains of the router's firewall table, and evaluated for a connection.
//! Pure.
//!
//! Two base chains on forward select a chain per subnet: before the sender's groups by the link that a packet came from, after
//! them by the link that it goes to. So a packet passes everything on its sender's side first, which counting relies on
//! (`counting.rs`). All addresses of the network are private there: destinations are translated earlier and sources later.
//! Fragments are joined already. Packets to and from the router itself never pass these chains.

use crate::{
    firewall::protocol,
    reachability::Block,
    ruleset::{Chain, Map, Ruleset},
    spec::*,
};
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddrV4},
    ops::RangeInclusive,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

impl Way {
    fn rules(self, filter: &Filter) -> &[FilterRule] {
        match self {
            Way::In => &filter.ingress,
            Way::Out => &filter.egress,
        }
    }

    /// The name of the way; the link of the interface in the subnet; the link at the other side.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Way::In => ("in", "oifname", "iifname"),
            Way::Out => ("out", "iifname", "oifname"),
        }
    }
}

/// Adds the chains of all filters that can drop a packet.
pub(crate) fn add(set: &mut Ruleset, spec: &VpcSpec) {
    let hooks = [
        (Way::Out, "type filter hook forward priority -10; policy accept;"),
        (Way::In, "type filter hook forward priority 5; policy accept;"),
    ];
    for (way, hook) in hooks {
        let (name, inner, _) = way.words();
        let mut borders = Map { of: "ifname : verdict", elements: BTreeMap::new() };
        for subnet in &spec.subnets {
            let filter = subnet.filter.as_ref().and_then(|name| spec.filter(name));
            if let Some(filter) = filter.filter(|f| !passes_all(way.rules(f))) {
                let chain = border(set, spec, subnet, filter, way);
                borders.elements.extend(links(spec, subnet).map(|link| (link, format!("jump {chain}"))));
            }
        }
        if !borders.elements.is_empty() {
            let rules = vec![format!("{inner} vmap @border_{name}")];
            set.maps.insert(format!("border_{name}"), borders);
            set.chains.insert(format!("forward_border_{name}"), Chain { hook: Some(hook), rules });
        }
    }
}

/// Adds the chains of one subnet's border in one direction; returns the first one.
fn border(set: &mut Ruleset, spec: &VpcSpec, subnet: &Subnet, filter: &Filter, way: Way) -> String {
    let (name, _, outer) = way.words();
    let inside = format!("inside_{}", subnet.name);
    let within = links(spec, subnet).map(|link| (link, "return".to_owned())).collect();
    set.maps.insert(inside.clone(), Map { of: "ifname : verdict", elements: within });
    let rules = format!("filter_{name}_{}", filter.name);
    // By links, not by addresses: an interface that forwards sends packets with foreign addresses.
    let steps = vec![format!("{outer} vmap @{inside}"), format!("jump {rules}")];
    set.chains.entry(rules).or_insert_with(|| Chain { hook: None, rules: script(way.rules(filter), way) });
    let chain = format!("border_{name}_{}", subnet.name);
    set.chains.insert(chain.clone(), Chain { hook: None, rules: steps });
    chain
}

fn links<'a>(spec: &'a VpcSpec, subnet: &'a Subnet) -> impl Iterator<Item = String> + 'a {
    spec.interfaces.iter().filter(|i| i.subnet == subnet.name).map(|i| format!("\"{}\"", i.address))
}

fn script(rules: &[FilterRule], way: Way) -> Vec<String> {
    let side = if way == Way::In { "saddr" } else { "daddr" };
    let rule = |r: &FilterRule| {
        let peer = match r.peer.prefix_len() {
            0 => String::new(),
            _ => format!("ip {side} {} ", r.peer.trunc()),
        };
        // Not `accept`: the packet may have to pass the border of another subnet.
        let verdict = if r.allow { "return" } else { "drop" };
        format!("{peer}{}{verdict}", protocol(r.protocol))
    };
    rules.iter().map(rule).chain(["drop".to_owned()]).collect()
}

/// Whether the first rule allows every packet.
fn passes_all(rules: &[FilterRule]) -> bool {
    rules.first().is_some_and(|r| r.allow && r.protocol == Protocol::Any && r.peer.prefix_len() == 0)
}

/// One passage of a TCP connection through the router. `None` at an end is the outside of the network.
pub(crate) struct Hop<'a> {
    pub(crate) from: Option<&'a Interface>,
    pub(crate) to: Option<&'a Interface>,
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: SocketAddrV4,
}

/// Linux's default range of a client's own ports; replies go to one of them.
const CLIENT_PORTS: RangeInclusive<u16> = 32768..=60999;

/// The first filter that stops a packet of a connection or of its replies. A reply may go to any port of a client, so all of
/// them must pass.
pub(crate) fn passes(vpc: &VpcSpec, hop: &Hop<'_>) -> Result<(), Block> {
    let subnet = |i: Option<&Interface>| i.and_then(|i| vpc.subnet(&i.subnet));
    let (from, to) = (subnet(hop.from), subnet(hop.to));
    if from.is_some() && from == to {
        return Ok(());
    }
    let (port, destination) = (hop.destination.port(), *hop.destination.ip());
    allows(vpc, from, Way::Out, destination, port..=port)?;
    allows(vpc, to, Way::In, hop.source, port..=port)?;
    allows(vpc, to, Way::Out, hop.source, CLIENT_PORTS)?;
    allows(vpc, from, Way::In, destination, CLIENT_PORTS)
}

fn allows(
    vpc: &VpcSpec,
    subnet: Option<&Subnet>,
    way: Way,
    peer: Ipv4Addr,
    ports: RangeInclusive<u16>,
) -> Result<(), Block> {
    let Some(subnet) = subnet else { return Ok(()) };
    let Some(filter) = subnet.filter.as_ref().and_then(|name| vpc.filter(name)) else { return Ok(()) };
    let rules = way.rules(filter);
    // Verdicts differ only where a rule's range begins or has ended.
    let edges = rules.iter().flat_map(|r| match r.protocol {
        Protocol::Tcp(p) => [Some(p.first), p.last.checked_add(1)],
        _ => [None, None],
    });
    let inside = edges.flatten().filter(|port| ports.contains(port));
    for port in [*ports.start()].into_iter().chain(inside) {
        let decides = rules.iter().position(|r| r.peer.contains(&peer) && r.protocol.matches_tcp(port));
        if !decides.is_some_and(|at| rules[at].allow) {
            return Err(Block::Filter {
                subnet: subnet.name.clone(),
                filter: filter.name.clone(),
                is_inbound: way == Way::In,
                peer,
                port,
                rule: decides,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(allow: bool, protocol: Protocol, peer: &str) -> FilterRule {
        FilterRule { allow, protocol, peer: peer.parse().unwrap() }
    }

    #[test]
    fn writes_rules_in_order_and_drops_the_rest() {
        let ports = Ports { first: 1024, last: 65535 };
        let rules = [
            rule(false, Protocol::Any, "10.0.3.7/24"),
            rule(true, Protocol::Tcp(ports), "0.0.0.0/0"),
            rule(true, Protocol::Icmp { kind: None, code: None }, "0.0.0.0/0"),
        ];
        assert_eq!(
            script(&rules, Way::Out),
            ["ip daddr 10.0.3.0/24 drop", "tcp dport 1024-65535 return", "ip protocol 1 return", "drop"]
        );
        assert_eq!(script(&[], Way::In), ["drop"]);
    }

    #[test]
    fn all_ports_of_a_range_must_pass() {
        let tcp = |first, last| Protocol::Tcp(Ports { first, last });
        let all = "0.0.0.0/0";
        for (rules, expected) in [
            (vec![], false),
            (vec![rule(true, Protocol::Any, all)], true),
            (vec![rule(true, tcp(32768, 60999), all)], true),
            (vec![rule(true, tcp(32768, 60998), all)], false),
            (vec![rule(true, tcp(0, 40000), all), rule(true, tcp(40001, 65535), all)], true),
            (vec![rule(false, tcp(50000, 50000), all), rule(true, Protocol::Any, all)], false),
            (vec![rule(false, tcp(50000, 50000), "10.9.0.0/16"), rule(true, Protocol::Any, all)], true),
            (vec![rule(true, Protocol::Udp(Ports::ALL), all)], false),
        ] {
            let filter = Filter { name: "f".into(), ingress: rules.clone(), egress: vec![] };
            let subnet = Subnet {
                name: "s".into(),
                cidr: "10.0.1.0/24".parse().unwrap(),
                zone: "a".into(),
                route_table: "t".into(),
                filter: Some("f".into()),
            };
            let vpc = VpcSpec {
                name: "v".into(),
                cidr: "10.0.0.0/16".parse().unwrap(),
                service_addresses: [].into(),
                subnets: vec![subnet],
                route_tables: vec![],
                interfaces: vec![],
                groups: vec![],
                filters: vec![filter],
                peerings: vec![],
                remote_groups: vec![],
                counted: std::collections::BTreeSet::new(),
                gateway_idle_s: 350,
                internet_gateway: false,
                revoked_flows: RevokedFlows::Keep,
            };
            let peer = Ipv4Addr::new(10, 0, 2, 1);
            let found = allows(&vpc, vpc.subnets.first(), Way::In, peer, CLIENT_PORTS);
            assert_eq!(found.is_ok(), expected, "{rules:?}");
        }
    }
}

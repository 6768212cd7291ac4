//! Validates a spec before anything is changed. Pure; shared by the real plane and the fake.

use crate::spec::*;
use escale_base::PlaneError;
use ipnet::Ipv4Net;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

/// Address ranges that are reserved in every network: loopback, link-local, the Internet's, endpoints'.
const TAKEN: [(Ipv4Net, &str); 4] = [
    (PUBLIC, "the Internet's public addresses"),
    (Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8), "loopback"),
    (Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16), "link-local addresses"),
    (Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10), "service endpoints"),
];

/// Longest name. The limits of the file system and the firewall are higher; this one is for readability.
const NAME_BYTES: usize = 64;

/// Validates the whole spec; the error names the first fault.
pub(crate) fn vpc(spec: &VpcSpec) -> Result<(), PlaneError> {
    let at = format!("network '{}'", spec.name);
    name(&at, "network", &spec.name)?;
    unique(&at, "subnet", spec.subnets.iter().map(|s| &s.name))?;
    unique(&at, "route table", spec.route_tables.iter().map(|t| &t.name))?;
    unique(&at, "interface", spec.interfaces.iter().map(|i| &i.name))?;
    unique(&at, "filter", spec.filters.iter().map(|f| &f.name))?;
    unique(&at, "peering", spec.peerings.iter().map(|p| &p.name))?;
    network_cidr(&at, spec)?;
    peerings(&at, spec)?;
    subnets(&at, spec)?;
    route_tables(&at, spec)?;
    interfaces(&at, spec)?;
    groups(&at, spec)?;
    filters(&at, spec)?;
    if spec.gateway_idle_s == 0 {
        return Err(asked(format!("{at}: the idle timeout of gateways must be at least 1 s")));
    }
    let existing: BTreeSet<&String> = spec.interfaces.iter().map(|i| &i.name).collect();
    match spec.counted.iter().find(|name| !existing.contains(name)) {
        Some(name) => Err(unknown(&at, "the list of counted interfaces", "interface", name)),
        None => Ok(()),
    }
}

pub(crate) fn internet(spec: &InternetSpec) -> Result<(), PlaneError> {
    unique("the Internet", "host", spec.hosts.iter().map(|h| &h.name))?;
    let mut seen = BTreeMap::from([(VISITOR, "the visitor's address".to_owned())]);
    let services = spec.service_addresses.iter().map(|a| (*a, "a service address".to_owned()));
    for (address, what) in
        services.chain(spec.hosts.iter().map(|h| (h.address, format!("host '{}'", h.name))))
    {
        public_address("the Internet", &what, address)?;
        if let Some(other) = seen.insert(address, what.clone()) {
            return Err(asked(format!(
                "the Internet: {address} is {what} and {other}; use a different address for each"
            )));
        }
    }
    Ok(())
}

/// Whether a name is valid in every place where it is used: a file name, a firewall chain.
pub(crate) fn name(at: &str, kind: &str, name: &str) -> Result<(), PlaneError> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if name.is_empty() || name.len() > NAME_BYTES || !name.bytes().all(good) || name.starts_with('.') {
        return Err(asked(format!(
            "{at}: '{name}' cannot name a {kind}: use 1 to {NAME_BYTES} of A-Z a-z 0-9 - _ . without a leading dot"
        )));
    }
    Ok(())
}

fn asked(what: String) -> PlaneError {
    PlaneError::asked(what)
}

fn unique<'a>(at: &str, kind: &str, names: impl Iterator<Item = &'a String>) -> Result<(), PlaneError> {
    let mut seen = BTreeSet::new();
    for n in names {
        name(at, kind, n)?;
        if !seen.insert(n) {
            return Err(asked(format!("{at}: two {kind}s are named '{n}'")));
        }
    }
    Ok(())
}

fn network_cidr(at: &str, spec: &VpcSpec) -> Result<(), PlaneError> {
    let cidr = spec.cidr;
    if cidr != cidr.trunc() || !(8..=28).contains(&cidr.prefix_len()) {
        return Err(asked(format!(
            "{at}: {cidr} must be a network of /8 to /28 without host bits, for example {}",
            cidr.trunc()
        )));
    }
    if let Some((_, why)) = TAKEN.iter().find(|(t, _)| overlap(*t, cidr)) {
        return Err(asked(format!(
            "{at}: {cidr} overlaps {why}; choose another range, for example 10.0.0.0/16"
        )));
    }
    let link_local = TAKEN[2].0;
    for a in &spec.service_addresses {
        if !cidr.contains(a) && !link_local.contains(a) {
            return Err(asked(format!("{at}: the service address {a} is neither in {cidr} nor link-local")));
        }
        if a.octets()[..3] == [169, 254, 255] {
            return Err(asked(format!(
                "{at}: the service address {a} is one of the router's own links (169.254.255.0/24)"
            )));
        }
    }
    Ok(())
}

fn subnets(at: &str, spec: &VpcSpec) -> Result<(), PlaneError> {
    for (i, s) in spec.subnets.iter().enumerate() {
        if s.cidr != s.cidr.trunc() || s.cidr.prefix_len() > 28 {
            return Err(asked(format!(
                "{at}: subnet '{}': {} must be a /28 or larger, without host bits",
                s.name, s.cidr
            )));
        }
        if !spec.cidr.contains(&s.cidr) {
            return Err(asked(format!(
                "{at}: subnet '{}': {} is outside the network's {}",
                s.name, s.cidr, spec.cidr
            )));
        }
        if let Some(other) = spec.subnets[..i].iter().find(|o| overlap(o.cidr, s.cidr)) {
            let (a, b) = (s.cidr, other.cidr);
            return Err(asked(format!(
                "{at}: subnet '{}': {a} overlaps {b} of subnet '{}'",
                s.name, other.name
            )));
        }
        if !spec.route_tables.iter().any(|t| t.name == s.route_table) {
            return Err(unknown(at, &format!("subnet '{}'", s.name), "route table", &s.route_table));
        }
        if let Some(filter) = s.filter.as_ref().filter(|name| spec.filter(name).is_none()) {
            return Err(unknown(at, &format!("subnet '{}'", s.name), "filter", filter));
        }
    }
    Ok(())
}

fn route_tables(at: &str, spec: &VpcSpec) -> Result<(), PlaneError> {
    let mut ids = BTreeMap::new();
    for table in &spec.route_tables {
        let at = format!("{at}: route table '{}'", table.name);
        if let Some(other) = ids.insert(crate::firewall::table_id(&table.name), &table.name) {
            return Err(asked(format!(
                "{at} has the same table number in the kernel as '{other}'; rename one of them"
            )));
        }
        let mut destinations = BTreeSet::new();
        for route in &table.routes {
            let to = route.destination;
            if to != to.trunc() {
                return Err(asked(format!("{at}: {to} has host bits; write {}", to.trunc())));
            }
            if !destinations.insert(to) {
                return Err(asked(format!("{at}: two routes go to {to}")));
            }
            route_target(&at, spec, route)?;
        }
    }
    Ok(())
}

fn route_target(at: &str, spec: &VpcSpec, route: &Route) -> Result<(), PlaneError> {
    let to = route.destination;
    if (route.target == Target::Local) != (to == spec.cidr) {
        return Err(asked(format!(
            "{at}: {to}: the route to the network's own block {} must be local, and no other route can be local",
            spec.cidr
        )));
    }
    if to != spec.cidr && spec.cidr.contains(&to) {
        return Err(asked(format!("{at}: {to} lies inside the network; routes inside it are not supported")));
    }
    match &route.target {
        Target::InternetGateway if !spec.internet_gateway => {
            Err(asked(format!("{at}: {to} goes to the Internet gateway, but the network has none attached")))
        }
        Target::Interface(name) => match spec.interface(name) {
            None => Err(unknown(at, &format!("the route to {to}"), "interface", name)),
            Some(i) if i.kind == Kind::Plain && i.source_dest_check => Err(asked(format!(
                "{at}: {to} goes to interface '{name}', which does not forward: turn its source/destination check off"
            ))),
            Some(_) => Ok(()),
        },
        Target::Peering(name) if spec.peering(name).is_none() => {
            Err(unknown(at, &format!("the route to {to}"), "peering", name))
        }
        Target::ServiceEndpoint if !PUBLIC.contains(&to) => {
            Err(asked(format!("{at}: {to} is not a public service; public services are in {PUBLIC}")))
        }
        _ => Ok(()),
    }
}

fn interfaces(at: &str, spec: &VpcSpec) -> Result<(), PlaneError> {
    let (mut private, mut public) = (BTreeMap::new(), BTreeMap::new());
    for i in &spec.interfaces {
        let what = format!("interface '{}'", i.name);
        let Some(subnet) = spec.subnet(&i.subnet) else {
            return Err(unknown(at, &what, "subnet", &i.subnet));
        };
        if !subnet.cidr.contains(&i.address) {
            let (a, name, cidr) = (i.address, &subnet.name, subnet.cidr);
            return Err(asked(format!("{at}: {what}: {a} is outside subnet '{name}' ({cidr})")));
        }
        // No underflow: the address is inside the subnet.
        let offset = u32::from(i.address) - u32::from(subnet.cidr.network());
        if offset < 4 || i.address == subnet.cidr.broadcast() || spec.service_addresses.contains(&i.address) {
            let a = i.address;
            return Err(asked(format!(
                "{at}: {what}: {a} is reserved: the first four addresses and the last of a subnet, and service addresses"
            )));
        }
        if let Some(other) = private.insert(i.address, &i.name) {
            return Err(asked(format!("{at}: {what}: {} is already the address of '{other}'", i.address)));
        }
        if let Some(address) = i.public_address {
            public_address(at, &what, address)?;
            if let Some(other) = public.insert(address, &i.name) {
                return Err(asked(format!(
                    "{at}: {what}: {address} is already the public address of '{other}'"
                )));
            }
        }
        if i.kind == Kind::Nat && !i.groups.is_empty() {
            return Err(asked(format!(
                "{at}: {what} is a NAT gateway and cannot have groups; use the groups of the interfaces that send through it"
            )));
        }
        if let Some(g) = i.groups.iter().find(|g| !spec.groups.iter().any(|x| x.name == **g)) {
            return Err(unknown(at, &what, "group", g));
        }
    }
    Ok(())
}

fn is_group(spec: &VpcSpec, name: &str) -> bool {
    spec.groups.iter().any(|g| g.name == name) || spec.remote_groups.iter().any(|g| g.name == name)
}

fn peerings(at: &str, spec: &VpcSpec) -> Result<(), PlaneError> {
    let mut links = BTreeMap::new();
    for peering in &spec.peerings {
        let at = format!("{at}: peering '{}'", peering.name);
        name(&at, "network", &peering.network)?;
        if peering.network == spec.name {
            return Err(asked(format!("{at} leads to the network itself")));
        }
        let cidr = peering.cidr;
        if cidr != cidr.trunc() || overlap(cidr, spec.cidr) {
            return Err(asked(format!(
                "{at}: {cidr} must have no host bits and must not overlap the network's {}",
                spec.cidr
            )));
        }
        if let Some(other) = links.insert(crate::peerings::link_name(&peering.name), &peering.name) {
            return Err(asked(format!("{at} has the same link name as '{other}'; rename one of them")));
        }
    }
    let groups = spec.groups.iter().map(|g| &g.name);
    unique(at, "group", groups.chain(spec.remote_groups.iter().map(|g| &g.name)))?;
    for group in &spec.remote_groups {
        let what = format!("remote group '{}'", group.name);
        let Some(peering) = spec.peering(&group.peering) else {
            return Err(unknown(at, &what, "peering", &group.peering));
        };
        if let Some(address) = group.addresses.iter().find(|a| !peering.cidr.contains(*a)) {
            return Err(asked(format!("{at}: {what}: {address} is outside {}", peering.cidr)));
        }
    }
    Ok(())
}

fn groups(at: &str, spec: &VpcSpec) -> Result<(), PlaneError> {
    for group in &spec.groups {
        for rule in group.ingress.iter().chain(&group.egress) {
            let what = format!("group '{}'", group.name);
            protocol(at, &what, rule.protocol)?;
            match &rule.peer {
                Peer::Group(g) if !is_group(spec, g) => {
                    return Err(unknown(at, &what, "group", g));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn filters(at: &str, spec: &VpcSpec) -> Result<(), PlaneError> {
    for filter in &spec.filters {
        let what = format!("filter '{}'", filter.name);
        for rule in filter.ingress.iter().chain(&filter.egress) {
            protocol(at, &what, rule.protocol)?;
        }
    }
    Ok(())
}

fn protocol(at: &str, what: &str, protocol: Protocol) -> Result<(), PlaneError> {
    match protocol {
        Protocol::Tcp(p) | Protocol::Udp(p) if p.first > p.last => Err(asked(format!(
            "{at}: {what}: ports {}-{} are in descending order; give the lower port first",
            p.first, p.last
        ))),
        Protocol::Icmp { kind: None, code: Some(c) } => {
            Err(asked(format!("{at}: {what}: ICMP code {c} needs a type")))
        }
        _ => Ok(()),
    }
}

fn public_address(at: &str, what: &str, address: Ipv4Addr) -> Result<(), PlaneError> {
    if !PUBLIC.contains(&address)
        || address == VISITOR
        || address == PUBLIC.network()
        || address == PUBLIC.broadcast()
    {
        return Err(asked(format!(
            "{at}: {what}: {address} is not an available public address; use one of {PUBLIC} except {VISITOR}"
        )));
    }
    Ok(())
}

fn unknown(at: &str, what: &str, kind: &str, name: &str) -> PlaneError {
    asked(format!("{at}: {what} names the {kind} '{name}', which does not exist"))
}

fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b.network()) || b.contains(&a.network())
}

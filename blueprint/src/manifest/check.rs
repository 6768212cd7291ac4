//! Checks that need the whole manifest: duplicate names, references to nothing, overlapping paths, and settings that this cloud
//! cannot run.

use super::{Cidr, Manifest, Nat, Network, Service, reader::Reader};
use crate::{
    problem::{Place, Problem, nearest},
    template::pascal,
    yaml::{Kind, Node},
};
use std::net::Ipv4Addr;

/// Address blocks that no VPC can use.
const NOBODYS: [(Cidr, &str); 4] = [
    (block([0, 0, 0, 0], 8), "reserved addresses"),
    (block([127, 0, 0, 0], 8), "loopback addresses"),
    (block([169, 254, 0, 0], 16), "link-local addresses"),
    (block([224, 0, 0, 0], 3), "multicast and reserved addresses"),
];

/// Address blocks that have another meaning in this cloud.
const TAKEN_HERE: [(Cidr, &str); 2] = [
    (block([198, 18, 0, 0], 15), "the public addresses inside Escale"),
    (block([100, 64, 0, 0], 10), "the addresses of Escale's service endpoints"),
];

const fn block([a, b, c, d]: [u8; 4], prefix: u32) -> Cidr {
    Cidr { address: Ipv4Addr::new(a, b, c, d), prefix }
}

impl Network {
    /// Public, application and data, in every zone.
    pub(crate) fn subnets(&self) -> u32 {
        3 * self.azs
    }

    /// Subnets are /24 where the block is large enough, otherwise as large as fits.
    pub(crate) fn subnet_prefix(&self) -> u32 {
        (self.cidr.prefix + self.subnets().next_power_of_two().ilog2()).max(24)
    }
}

pub(crate) fn references(r: &mut Reader, root: &Node, manifest: &Manifest) {
    names(r, root);
    uses(r, root, manifest);
    ports(r, root, manifest);
    injected(r, root, manifest);
    paths(r, root, manifest);
    addresses(r, root, manifest);
}

fn addresses(r: &mut Reader, root: &Node, manifest: &Manifest) {
    let Network { cidr, nat, .. } = manifest.network;
    let is_here = manifest.environment.name == "local";
    let place = |key| root.get("network").and_then(|n| n.get(key)).map_or(root.place, |n| n.place);
    let here: &[_] = if is_here { &TAKEN_HERE } else { &[] };
    if let Some((taken, what)) = NOBODYS.iter().chain(here).find(|(taken, _)| cidr.meets(*taken)) {
        let message = format!("the network cannot be {cidr}: {taken} are {what}");
        r.fault_hint(place("cidr"), message, "take a private block, like `10.0.0.0/16`");
    }
    if is_here && nat == Nat::None {
        r.fault_hint(
            place("nat"),
            "`nat: none` needs interface endpoints, which Escale does not support yet",
            "use `per-az` or `single`; only an environment for AWS can set `none`: `environments: { prod: { nat: none } }`",
        );
    }
}

/// Reports parts whose resources would get the same logical id, such as the execution role of `a` and the role of `a-execution`.
pub(crate) fn meeting(manifest: &Manifest, twice: &[String]) -> Vec<Problem> {
    let root = &manifest.origin.root;
    let sections = ["services", "database", "buckets"];
    let keys = sections.iter().flat_map(|s| root.get(s).map(Node::entries).unwrap_or_default());
    let parts: Vec<_> = keys.map(|(key, _)| (pascal(&key.text), key)).collect();
    let mut found: Vec<Problem> = Vec::new();
    let mut reported = Vec::new();
    for id in twice {
        // An id begins with the name of its part and continues with a word.
        let is_of =
            |name: &str| id.strip_prefix(name).is_some_and(|rest| rest.starts_with(char::is_uppercase));
        let mut of: Vec<_> = parts.iter().filter(|(name, _)| is_of(name)).collect();
        // Several names may be a prefix of the id; the longest ones own it.
        of.sort_by_key(|(name, key)| (std::cmp::Reverse(name.len()), key.place.line, key.place.column));
        of.truncate(2);
        of.sort_by_key(|(_, key)| (key.place.line, key.place.column));
        let (place, message) = match of.as_slice() {
            [(_, first), (_, second)] => (
                second.place,
                format!(
                    "`{}` and `{}` would both have the logical id `{id}` in the template",
                    first.text, second.text
                ),
            ),
            [(_, only)] => (
                only.place,
                format!("`{}` would have the logical id `{id}`, which the template already uses", only.text),
            ),
            // The id is the name itself: then the parts have equal names, which was reported already.
            _ => continue,
        };
        if !reported.contains(&place) {
            reported.push(place);
            found.push(Problem::new(&manifest.origin.source, place, message).hint("choose another name"));
        }
    }
    found
}

/// Names become logical ids and variable names, so two parts must not share one.
fn names(r: &mut Reader, root: &Node) {
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for section in ["services", "database", "buckets"] {
        for (key, _) in root.get(section).map(Node::entries).unwrap_or_default() {
            match seen.iter().find(|(name, _)| *name == key.text) {
                Some((_, other)) => {
                    r.fault(key.place, format!("`{}` is already the name of one of the {other}", key.text));
                }
                None if key.text == "load-balancer" => {
                    r.fault(key.place, "the name `load-balancer` is reserved")
                }
                None => seen.push((&key.text, section)),
            }
        }
    }
    if root.get("services").is_some_and(|s| s.entries().is_empty() && matches!(s.kind, Kind::Map(_))) {
        r.fault(root.place, "an application needs at least one service");
    }
}

fn uses(r: &mut Reader, root: &Node, manifest: &Manifest) {
    let databases = manifest.databases.iter().map(|d| d.name.as_str());
    let others = manifest.buckets.iter().map(|b| b.name.as_str());
    let services = manifest.services.iter().map(|s| s.name.as_str());
    let known: Vec<&str> = databases.chain(others).chain(services).collect();
    for service in &manifest.services {
        for (i, name) in service.uses.iter().enumerate() {
            let place = item_place(root, &service.name, "uses", i);
            if service.uses[..i].contains(name) {
                r.fault(place, format!("`{name}` is in `uses` twice"));
            } else if !known.contains(&name.as_str()) {
                let hint = match nearest(name, known.iter().copied()) {
                    Some(word) => format!("did you mean `{word}`?"),
                    None => format!("the known names are {}", known.join(", ")),
                };
                r.fault_hint(
                    place,
                    format!("`{name}` is neither a database nor a bucket nor a service"),
                    hint,
                );
            } else if *name == service.name {
                r.fault(place, format!("`{name}` cannot use itself"));
            } else if manifest.service(name).is_some_and(|used| used.port.is_none()) {
                let message = format!("the service `{name}` cannot be used, because it has no `port`");
                r.fault_hint(place, message, "add the `port` on which it listens");
            }
        }
    }
}

/// Services that others use share a load balancer, which distinguishes them by their ports. A rule for a port therefore allows
/// connections to one service only.
fn ports(r: &mut Reader, root: &Node, manifest: &Manifest) {
    let mut seen: Vec<&Service> = Vec::new();
    for service in manifest.used_services().filter(|s| s.port.is_some()) {
        if let Some(other) = seen.iter().find(|other| other.port == service.port) {
            let place = section(root, &service.name, "port").map_or(root.place, |n| n.place);
            let (name, other) = (&service.name, &other.name);
            let message = format!("`{name}` and `{other}` are used by other services and have the same port");
            r.fault_hint(place, message, "give one of them another port");
        }
        seen.push(service);
    }
}

/// A variable has one source: `env`, `env_file`, `secrets` or `uses`.
fn injected(r: &mut Reader, root: &Node, manifest: &Manifest) {
    for service in &manifest.services {
        let given = crate::variables::injected(manifest, service);
        for name in service.env.keys() {
            let source = if given.iter().any(|v| v.name == *name) {
                "Escale (by `port` and `uses`)"
            } else if service.secrets.contains(name) {
                "`secrets`"
            } else {
                continue;
            };
            let entries = section(root, &service.name, "env").map(Node::entries).unwrap_or_default();
            match (entries.iter().find(|(k, _)| k.text == *name), service.from_files.get(name)) {
                (None, Some(given)) => {
                    let message = format!(
                        "`{name}` is already set by {source}: leave it out of the file of service `{}`",
                        service.name
                    );
                    r.problems.push(Problem::new(&given.source, given.place, message));
                }
                (found, _) => {
                    let place = found.map_or(root.place, |(k, _)| k.place);
                    r.fault(place, format!("`{name}` is already set by {source}: leave it out of `env`"));
                }
            }
        }
        for (i, name) in service.secrets.iter().enumerate() {
            if given.iter().any(|v| v.name == *name) || service.secrets[..i].contains(name) {
                let place = item_place(root, &service.name, "secrets", i);
                r.fault(place, format!("`{name}` is already set: leave it out of `secrets`"));
            }
        }
    }
}

fn paths(r: &mut Reader, root: &Node, manifest: &Manifest) {
    let services =
        manifest.services.iter().filter_map(|s| Some(("services", s.name.as_str(), s.path.as_deref()?)));
    let buckets = manifest.buckets.iter().map(|b| ("buckets", b.name.as_str(), b.path.as_str()));
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (kind, name, path) in services.chain(buckets) {
        let found = root.get(kind).and_then(|n| n.get(name)).and_then(|n| n.get("path"));
        match seen.iter().find(|(other, _)| *other == path) {
            Some((_, owner)) => {
                let place = found.map_or(root.place, |n| n.place);
                r.fault(place, format!("`{path}` already routes to `{owner}`"));
            }
            None => seen.push((path, name)),
        }
    }
    if !manifest.services.is_empty() && manifest.services.iter().all(|s| s.path.is_none()) {
        let place = root.get("services").map_or(root.place, |n| n.place);
        r.fault_hint(
            place,
            "no service has a `path`, so no request would reach one",
            "add `path: /` to a service",
        );
    }
}

fn section<'n>(root: &'n Node, service: &str, key: &str) -> Option<&'n Node> {
    root.get("services")?.get(service)?.get(key)
}

fn item_place(root: &Node, service: &str, key: &str, index: usize) -> Place {
    let found = section(root, service, key).and_then(|n| match &n.kind {
        Kind::List(items) => items.get(index),
        _ => None,
    });
    found.map_or(root.place, |n| n.place)
}

//! What only the whole manifest can show: names used twice, references that lead nowhere, paths that overlap.

use super::{Manifest, Network, reader::Reader};
use crate::{
    problem::{Place, nearest},
    yaml::{Kind, Node},
};

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
    injected(r, root, manifest);
    paths(r, root, manifest);
}

/// Names become logical ids and variables, so that no two parts may share one.
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
    let known: Vec<&str> = databases.chain(manifest.buckets.iter().map(|b| b.name.as_str())).collect();
    for service in &manifest.services {
        for (i, name) in service.uses.iter().enumerate() {
            let place = item_place(root, &service.name, "uses", i);
            if service.uses[..i].contains(name) {
                r.fault(place, format!("`{name}` stands twice in `uses`"));
            } else if !known.contains(&name.as_str()) {
                let hint = match nearest(name, known.iter().copied()) {
                    Some(word) => format!("did you mean `{word}`?"),
                    None if known.is_empty() => "declare it under `database` or `buckets`".to_owned(),
                    None => format!("there are {}", known.join(", ")),
                };
                r.fault_hint(place, format!("`{name}` is neither a database nor a bucket"), hint);
            }
        }
    }
}

/// A variable has one source: `env`, `secrets` or `uses`.
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
            let place = entries.iter().find(|(k, _)| k.text == *name).map_or(root.place, |(k, _)| k.place);
            r.fault(place, format!("`{name}` is already set by {source}: leave it out of `env`"));
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
                r.fault(place, format!("`{path}` already leads to `{owner}`"));
            }
            None => seen.push((path, name)),
        }
    }
    if !manifest.services.is_empty() && manifest.services.iter().all(|s| s.path.is_none()) {
        let place = root.get("services").map_or(root.place, |n| n.place);
        r.fault_hint(place, "no service has a `path`, so nothing would answer users", "add `path: /` to one");
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

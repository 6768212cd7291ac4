//! Which ports answer from the Internet: computed from addresses, routes, security groups and listeners, and compared with a probe.

use crate::graph::{Architecture, INTERNET, Means};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A resource with public addresses, and the TCP ports that answer there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Computed {
    pub resource: String,
    pub line: usize,
    /// Known of running resources only.
    pub addresses: Vec<String>,
    pub ports: BTreeSet<u16>,
    /// Rules allow ports, but it is not known on which the resource listens.
    pub is_open_ended: bool,
}

/// Everything with a public address. Distributions and AWS's own services are not part of it: their addresses belong to all
/// customers.
pub fn computed(arch: &Architecture) -> Vec<Computed> {
    let balancers =
        arch.balancers.iter().filter(|b| !b.is_internal).map(|b| (b.id.clone(), b.line, b.addresses.clone()));
    let nats = arch.nats.iter().map(|n| (n.id.clone(), n.line, n.address.iter().cloned().collect()));
    let services =
        arch.services.iter().filter(|s| s.has_public_address).map(|s| {
            (s.id.clone(), s.line, s.tasks.iter().filter_map(|t| t.public_address.clone()).collect())
        });
    let databases = arch.databases.iter().filter(|d| d.is_public).map(|d| (d.id.clone(), d.line, Vec::new()));
    let all = balancers.chain(nats).chain(services).chain(databases);
    all.map(|(resource, line, addresses)| {
        let (ports, is_open_ended) = ports(arch, &resource);
        Computed { resource, line, addresses, ports, is_open_ended }
    })
    .collect()
}

fn ports(arch: &Architecture, id: &str) -> (BTreeSet<u16>, bool) {
    let flows =
        arch.flows.iter().filter(|f| f.from == INTERNET && f.to == id && f.means == Means::SecurityGroups);
    let mut found = BTreeSet::new();
    let mut is_open_ended = false;
    for flow in flows {
        match flow.what.strip_prefix("tcp ").and_then(|port| port.parse().ok()) {
            Some(port) => drop(found.insert(port)),
            None => is_open_ended = true,
        }
    }
    (found, is_open_ended)
}

/// A difference between what was computed and what answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disagreement {
    pub resource: String,
    pub address: String,
    pub port: u16,
    /// Whether the port answered.
    pub answered: bool,
    pub meaning: String,
}

/// Compares the computed ports with those that answered at each address. An address that no resource has must not answer at all.
pub fn compare(computed: &[Computed], probed: &BTreeMap<String, BTreeSet<u16>>) -> Vec<Disagreement> {
    let mut found = Vec::new();
    for (address, answered) in probed {
        let owner = computed.iter().find(|c| c.addresses.contains(address));
        let expected = owner.map(|c| c.ports.clone()).unwrap_or_default();
        let resource = owner.map_or_else(|| "no resource of the stack".to_owned(), |c| c.resource.clone());
        let is_open_ended = owner.is_some_and(|c| c.is_open_ended);
        for port in expected.symmetric_difference(answered) {
            let did_answer = answered.contains(port);
            if did_answer && is_open_ended {
                continue;
            }
            let meaning = if did_answer {
                "it answers, although by the template it is closed"
            } else {
                "it does not answer, although by the template it is open"
            };
            found.push(Disagreement {
                resource: resource.clone(),
                address: address.clone(),
                port: *port,
                answered: did_answer,
                meaning: meaning.to_owned(),
            });
        }
    }
    found
}

//! The rules of security groups, and what two sets of groups allow between them.
//!
//! Source: <https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html>

use super::targets;
use crate::survey::{Resource, Survey, number_of, text_of};
use ipnet::IpNet;
use serde_json::{Value, json};
use std::net::Ipv4Addr;

#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub line: usize,
    pub ports: Ports,
    pub peer: Peer,
}

/// What a rule allows: a protocol and its ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ports {
    /// `tcp`, `udp`, `icmp`, `all`, or another protocol's number.
    pub protocol: String,
    pub first: u16,
    pub last: u16,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Peer {
    Group(String),
    Network(IpNet),
    /// A prefix list, or a value that is not known.
    Other(String),
}

/// A security group with all of its rules, also those that are resources of their own.
#[derive(Clone, Debug)]
pub struct Group {
    pub id: String,
    pub ingress: Vec<Rule>,
    pub egress: Vec<Rule>,
}

/// All groups of the template.
pub fn groups(survey: &Survey) -> Vec<Group> {
    survey.of_kind("AWS::EC2::SecurityGroup").map(|resource| group(survey, resource)).collect()
}

fn group(survey: &Survey, resource: &Resource) -> Group {
    let inline = |path: &str, line: usize| -> Vec<Rule> {
        let items = resource.get(path).as_array().into_iter().flatten();
        items.flat_map(|item| rules(item, line)).collect()
    };
    let mut ingress = inline("/SecurityGroupIngress", resource.line_of("SecurityGroupIngress"));
    let mut egress = inline("/SecurityGroupEgress", resource.line_of("SecurityGroupEgress"));
    // A group without this property allows all outbound traffic. A rule that is a resource of its own does not change that.
    if resource.get("/SecurityGroupEgress").is_null() {
        egress.extend(rules(&json!({"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}), resource.line));
    }
    for (kind, list) in
        [("AWS::EC2::SecurityGroupIngress", &mut ingress), ("AWS::EC2::SecurityGroupEgress", &mut egress)]
    {
        let own = survey.of_kind(kind).filter(|r| targets(r.get("/GroupId")).contains(&resource.id));
        list.extend(own.flat_map(|r| rules(&r.properties, r.line)));
    }
    Group { id: resource.id.clone(), ingress, egress }
}

/// An entry has one peer in a template, but nothing prevents several.
fn rules(entry: &Value, line: usize) -> Vec<Rule> {
    let ports = Ports::of(entry);
    let mut found = Vec::new();
    for key in ["CidrIp", "CidrIpv6"] {
        match &entry[key] {
            Value::Null => {}
            value => found.push(match text_of(value).and_then(|text| text.parse().ok()) {
                Some(network) => Peer::Network(network),
                None => Peer::Other(crate::survey::shown(value)),
            }),
        }
    }
    for key in ["SourceSecurityGroupId", "DestinationSecurityGroupId"] {
        found.extend(targets(&entry[key]).into_iter().map(Peer::Group));
    }
    for key in ["SourcePrefixListId", "DestinationPrefixListId", "SourceSecurityGroupName"] {
        found.extend((!entry[key].is_null()).then(|| Peer::Other(crate::survey::shown(&entry[key]))));
    }
    found.into_iter().map(|peer| Rule { line, ports: ports.clone(), peer }).collect()
}

impl Ports {
    pub fn one(protocol: &str, port: u16) -> Ports {
        Ports { protocol: protocol.to_owned(), first: port, last: port }
    }

    pub(super) fn of(entry: &Value) -> Ports {
        let protocol = match text_of(&entry["IpProtocol"]).unwrap_or_default().as_str() {
            "-1" | "all" => "all".to_owned(),
            "6" => "tcp".to_owned(),
            "17" => "udp".to_owned(),
            "1" => "icmp".to_owned(),
            other => other.to_ascii_lowercase(),
        };
        let has_ports = protocol == "tcp" || protocol == "udp";
        let port = |key: &str| number_of(&entry[key]).map(|n| n.clamp(0.0, 65535.0) as u16);
        let (first, last) = match (port("FromPort"), port("ToPort")) {
            (Some(first), Some(last)) if has_ports => (first, last),
            _ => (0, u16::MAX),
        };
        Ports { protocol, first, last }
    }

    pub fn contains(&self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }

    /// What both allow.
    pub fn and(&self, other: &Ports) -> Option<Ports> {
        let protocol = match (self.protocol.as_str(), other.protocol.as_str()) {
            ("all", protocol) | (protocol, "all") => protocol,
            (a, b) if a == b => a,
            _ => return None,
        };
        let (first, last) = (self.first.max(other.first), self.last.min(other.last));
        (first <= last).then(|| Ports { protocol: protocol.to_owned(), first, last })
    }

    /// For people: `tcp 443`, `tcp 8000-8100`, `all ports`.
    pub fn shown(&self) -> String {
        match (self.protocol.as_str(), self.first, self.last) {
            ("all", 0, u16::MAX) => "all ports".to_owned(),
            ("icmp", ..) => "icmp".to_owned(),
            (protocol, 0, u16::MAX) => format!("{protocol} all ports"),
            (protocol, first, last) if first == last => format!("{protocol} {first}"),
            (protocol, first, last) => format!("{protocol} {first}-{last}"),
        }
    }
}

/// One end of a connection.
#[derive(Clone, Debug)]
pub struct End {
    pub groups: Vec<String>,
    pub networks: Vec<IpNet>,
}

/// What `from` may open to `to`: both its own outbound rules and the inbound rules of `to` must allow it. An end
/// without groups, such as a host on the Internet, may open anything.
pub fn allowed(all: &[Group], from: &End, to: &End) -> Vec<Ports> {
    let rules = |ids: &[String], pick: fn(&Group) -> &Vec<Rule>| -> Vec<Rule> {
        all.iter().filter(|g| ids.contains(&g.id)).flat_map(|g| pick(g).clone()).collect()
    };
    let outbound: Vec<Ports> = if from.groups.is_empty() {
        vec![Ports { protocol: "all".to_owned(), first: 0, last: u16::MAX }]
    } else {
        passing(&rules(&from.groups, |g| &g.egress), to)
    };
    let inbound = passing(&rules(&to.groups, |g| &g.ingress), from);
    let mut found: Vec<Ports> =
        inbound.iter().flat_map(|i| outbound.iter().filter_map(|o| i.and(o))).collect();
    found.sort();
    found.dedup();
    found
}

/// What the outbound rules of `from` allow to the Internet.
pub fn to_the_internet(all: &[Group], from: &End) -> Vec<Ports> {
    let rules: Vec<Rule> =
        all.iter().filter(|g| from.groups.contains(&g.id)).flat_map(|g| g.egress.clone()).collect();
    let mut found: Vec<Ports> = rules.iter().filter(|r| is_open(&r.peer)).map(|r| r.ports.clone()).collect();
    found.sort();
    found.dedup();
    found
}

/// Whether a peer includes all addresses of the Internet.
pub fn is_open(peer: &Peer) -> bool {
    matches!(peer, Peer::Network(network) if network.prefix_len() == 0)
}

/// Whether a peer includes any public address.
pub fn includes_public(peer: &Peer) -> bool {
    match peer {
        Peer::Network(IpNet::V4(network)) => {
            const PRIVATE: [(Ipv4Addr, u8); 5] = [
                (Ipv4Addr::new(10, 0, 0, 0), 8),
                (Ipv4Addr::new(172, 16, 0, 0), 12),
                (Ipv4Addr::new(192, 168, 0, 0), 16),
                (Ipv4Addr::new(100, 64, 0, 0), 10),
                (Ipv4Addr::new(127, 0, 0, 0), 8),
            ];
            !PRIVATE.iter().any(|(base, length)| {
                ipnet::Ipv4Net::new(*base, *length).is_ok_and(|private| private.contains(network))
            })
        }
        Peer::Network(IpNet::V6(network)) => network.prefix_len() == 0,
        Peer::Group(_) | Peer::Other(_) => false,
    }
}

fn passing(rules: &[Rule], end: &End) -> Vec<Ports> {
    let matches = |rule: &&Rule| match &rule.peer {
        Peer::Group(id) => end.groups.contains(id),
        Peer::Network(network) => {
            end.networks.iter().any(|own| network.contains(own) || own.contains(network))
        }
        Peer::Other(_) => false,
    };
    rules.iter().filter(matches).map(|rule| rule.ports.clone()).collect()
}

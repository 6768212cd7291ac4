//! Network ACLs: whether packets of a connection pass the borders of subnets, in both directions.
//!
//! An ACL has no memory of connections, so that the answers need an entry of their own.
//! Source: <https://docs.aws.amazon.com/vpc/latest/userguide/nacl-rules.html>

use super::{Architecture, Subnet, security::Ports, targets};
use crate::survey::{Resource, Survey, references, shown, text_of};
use ipnet::IpNet;
use serde_json::json;
use std::collections::BTreeMap;

/// The ports from which Linux opens connections, and to which answers return: `net.ipv4.ip_local_port_range`.
const EPHEMERAL: (u16, u16) = (32768, 60999);

/// The number of the rule of a VPC's own ACL that allows everything.
/// Source: <https://docs.aws.amazon.com/vpc/latest/userguide/default-network-acl.html>
const DEFAULT_RULE: f64 = 100.0;

#[derive(Clone, Debug)]
struct Entry {
    number: f64,
    is_egress: bool,
    is_allow: bool,
    ports: Ports,
    network: IpNet,
}

/// The entries of the ACL of each subnet, in the order of their numbers. A subnet whose ACL is not in the template lets everything
/// pass, as the VPC's own ACL does, and is among the unknowns.
#[derive(Clone, Debug, Default)]
pub(super) struct Acls {
    of_subnets: BTreeMap<String, Vec<Entry>>,
}

/// Where a packet comes from or goes to.
#[derive(Clone, Copy)]
pub(super) enum Far<'a> {
    Subnet(&'a Subnet),
    Network(&'a IpNet),
}

impl Acls {
    pub(super) fn of(survey: &Survey, made: &mut Architecture) -> Acls {
        let mut acls = Acls::default();
        let mut unknown = Vec::new();
        let subnets = made.vpcs.iter().flat_map(|vpc| vpc.subnets.iter().map(move |subnet| (vpc, subnet)));
        for (vpc, subnet) in subnets {
            let association = survey
                .of_kind("AWS::EC2::SubnetNetworkAclAssociation")
                .find(|a| targets(a.get("/SubnetId")).contains(&subnet.id));
            let acl = association.and_then(|a| targets(a.get("/NetworkAclId")).into_iter().next());
            let mut found = match (&acl, association) {
                (Some(acl), _) if survey.resources.contains_key(acl) => {
                    entries(survey, &mut unknown, |to, _| to == acl)
                }
                (_, Some(association)) => {
                    let what = format!("{}: the rules of its network ACL are not in the template", subnet.id);
                    unknown.push((association.line, what));
                    continue;
                }
                (_, None) => own(survey, &mut unknown, &vpc.id),
            };
            found.sort_by(|a, b| a.number.total_cmp(&b.number));
            acls.of_subnets.insert(subnet.id.clone(), found);
        }
        for (line, what) in unknown {
            made.note(line, what);
        }
        acls
    }

    /// Whether any packet of a connection to these ports of `subnet` passes, and its answer.
    pub(super) fn admits(&self, subnet: &Subnet, from: Far<'_>, ports: &Ports) -> bool {
        self.passes(subnet, from, false, ports) && self.passes(subnet, from, true, &answer(ports))
    }

    /// The same for a connection from `subnet`.
    pub(super) fn releases(&self, subnet: &Subnet, to: Far<'_>, ports: &Ports) -> bool {
        self.passes(subnet, to, true, ports) && self.passes(subnet, to, false, &answer(ports))
    }

    /// The first entry that decides about all of the packets decides; one that allows some of them lets these pass.
    fn passes(&self, subnet: &Subnet, far: Far<'_>, is_egress: bool, ports: &Ports) -> bool {
        let network = match far {
            // Packets within a subnet pass no ACL.
            Far::Subnet(other) if other.id == subnet.id => return true,
            Far::Subnet(other) => other.cidr.parse().ok(),
            Far::Network(network) => Some(*network),
        };
        let (Some(entries), Some(network)) = (self.of_subnets.get(&subnet.id), network) else { return true };
        for entry in entries.iter().filter(|entry| entry.is_egress == is_egress) {
            let Some(both) = entry.ports.and(ports) else { continue };
            let overlaps = entry.network.contains(&network) || network.contains(&entry.network);
            if entry.is_allow && overlaps {
                return true;
            }
            if !entry.is_allow && both == *ports && entry.network.contains(&network) {
                return false;
            }
        }
        false
    }
}

fn answer(ports: &Ports) -> Ports {
    let (first, last) =
        if matches!(ports.protocol.as_str(), "tcp" | "udp") { EPHEMERAL } else { (0, u16::MAX) };
    Ports { protocol: ports.protocol.clone(), first, last }
}

/// The VPC's own ACL: it allows everything, and the template may add entries to it.
fn own(survey: &Survey, unknown: &mut Vec<(usize, String)>, vpc: &str) -> Vec<Entry> {
    let mut found =
        entries(survey, unknown, |to, attribute| to == vpc && attribute == Some("DefaultNetworkAcl"));
    for is_egress in [false, true] {
        if found.iter().any(|e| e.is_egress == is_egress && e.number == DEFAULT_RULE) {
            continue;
        }
        for network in ["0.0.0.0/0", "::/0"] {
            found.push(Entry {
                number: DEFAULT_RULE,
                is_egress,
                is_allow: true,
                ports: Ports { protocol: "all".to_owned(), first: 0, last: u16::MAX },
                network: network.parse().expect("a network"),
            });
        }
    }
    found
}

fn entries(
    survey: &Survey,
    unknown: &mut Vec<(usize, String)>,
    is_of: impl Fn(&str, Option<&str>) -> bool,
) -> Vec<Entry> {
    let own = survey.of_kind("AWS::EC2::NetworkAclEntry").filter(|r| {
        references(r.get("/NetworkAclId")).iter().any(|to| is_of(&to.to, to.attribute.as_deref()))
    });
    let mut found = Vec::new();
    for resource in own {
        match entry(resource) {
            Some(entry) => found.push(entry),
            None => {
                let network = shown(resource.get("/CidrBlock"));
                unknown.push((
                    resource.line,
                    format!(
                        "{}: an entry of a network ACL is not known, for the network {network}",
                        resource.id
                    ),
                ));
            }
        }
    }
    found
}

fn entry(resource: &Resource) -> Option<Entry> {
    let network = ["/CidrBlock", "/Ipv6CidrBlock"].into_iter().find_map(|path| resource.text(path))?;
    let range = resource.get("/PortRange");
    Some(Entry {
        number: resource.number("/RuleNumber")?,
        is_egress: resource.is_true("/Egress"),
        is_allow: text_of(resource.get("/RuleAction"))?.eq_ignore_ascii_case("allow"),
        ports: Ports::of(&json!({
            "IpProtocol": resource.get("/Protocol"), "FromPort": range["From"], "ToPort": range["To"],
        })),
        network: network.parse().ok()?,
    })
}

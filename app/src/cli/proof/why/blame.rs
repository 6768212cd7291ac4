//! The rule that stops a connection, in AWS's terms, with its place in the template and the fix.

use super::vpc::Vpc;
use escale_network::{Block, DeadRoute};
use escale_proof::why::{Cause, Deployed, Place};
use std::net::Ipv4Addr;

pub(super) fn cause(block: &Block, vpc: &Vpc, deployed: &Deployed) -> Cause {
    match block {
        Block::NoInterface(name) => Cause {
            rule: format!("the network interface {name} does not exist"),
            resource: deployed.place(name),
            fix: "Deploy the stack again, or repair the route that names it.".to_owned(),
        },
        Block::NoAddress(address) => Cause {
            rule: format!("no network interface in {} has the address {address}", owner(vpc, *address)),
            resource: deployed.place(owner(vpc, *address)),
            fix: "Correct the address: whatever had it has been replaced.".to_owned(),
        },
        Block::Groups { interface, is_inbound, peer, port } => {
            groups(interface, *is_inbound, *peer, *port, vpc, deployed)
        }
        Block::Filter { subnet, filter, is_inbound, port, rule, .. } => {
            let numbers = vpc.numbers.get(&(filter.clone(), *is_inbound));
            let number = rule.and_then(|at| numbers?.get(at).cloned());
            let (way, flag) = if *is_inbound { ("inbound", "ingress") } else { ("outbound", "egress") };
            let denies = match number.as_deref() {
                Some("32767") | None => format!("no {way} rule allows tcp {port}"),
                Some(number) => format!("{way} rule {number} denies tcp {port}"),
            };
            Cause {
                rule: format!("network ACL {filter} of the subnet {subnet}: {denies}"),
                resource: deployed.place_or(filter, subnet),
                fix: format!(
                    "Replace the entry, or add one with a lower number that allows it: `aws ec2 create-network-acl-entry \
                     --network-acl-id {filter} --{flag} --rule-action allow …`. ACLs are stateless: replies need a rule, too."
                ),
            }
        }
        Block::NoRoute { subnet, table, to } => {
            let destination = vpc.owner_of(*to).map_or("0.0.0.0/0".to_owned(), |peer| peer.cidr.to_string());
            let (resource, is_declared) = deployed.route(table, &destination);
            let declared = if is_declared { "; the template has one" } else { "" };
            Cause {
                rule: format!("route table {table} of the subnet {subnet} has no route to {to}{declared}"),
                resource,
                fix: format!(
                    "Create the route: `aws ec2 create-route --route-table-id {table} --destination-cidr-block {destination} …`."
                ),
            }
        }
        Block::Route { table, destination, why } => {
            let why = match why {
                DeadRoute::Blackhole => "is a blackhole: its target no longer exists",
                DeadRoute::NotAttached => "leads to an Internet gateway that is not attached to the VPC",
                DeadRoute::NoPublicAddress => {
                    "leads to an Internet gateway, and the interface has no public address"
                }
                DeadRoute::NoGateway => "leads to nothing that forwards these packets",
                DeadRoute::NoPeering => "leads to a VPC peering connection that is not active",
                DeadRoute::BeyondPeer => {
                    "leads to a VPC peering connection, which reaches the addresses of the other VPC only"
                }
            };
            Cause {
                rule: format!("route {destination} of the route table {table} {why}"),
                resource: deployed.route(table, &destination.to_string()).0,
                fix: format!(
                    "Replace the route: `aws ec2 replace-route --route-table-id {table} --destination-cidr-block {destination} …`."
                ),
            }
        }
    }
}

/// The VPC that an address belongs to, which is this one or one that it has a peering connection with.
fn owner(vpc: &Vpc, address: Ipv4Addr) -> &str {
    vpc.owner_of(address).map_or(&vpc.id, |owner| &owner.name)
}

fn groups(
    interface: &str,
    is_inbound: bool,
    peer: Ipv4Addr,
    port: u16,
    vpc: &Vpc,
    deployed: &Deployed,
) -> Cause {
    let own: Vec<String> =
        vpc.interface(interface).map(|i| i.groups.iter().cloned().collect()).unwrap_or_default();
    let peers: Vec<String> =
        vpc.interface_at(peer).map(|i| i.groups.iter().cloned().collect()).unwrap_or_default();
    let Some(first) = own.first() else {
        return Cause {
            rule: format!("the interface {interface} has no security group, so nothing is allowed"),
            resource: Place::of_id(interface),
            fix: "Give the interface a security group.".to_owned(),
        };
    };
    // Of several groups the one for which the template has the rule is to blame.
    let places = own.iter().map(|group| (group, deployed.group_rule(group, is_inbound, port, &peers)));
    let mut places = places.collect::<Vec<_>>();
    places.sort_by_key(|(_, (place, is_declared))| (!is_declared, place.line.is_none()));
    let (group, (resource, is_declared)) =
        places.into_iter().next().unwrap_or_else(|| (first, (Place::of_id(first), false)));
    let (way, to, verb) = if is_inbound {
        ("inbound", "from", "authorize-security-group-ingress")
    } else {
        ("outbound", "to", "authorize-security-group-egress")
    };
    let whom = if peers.is_empty() { peer.to_string() } else { peers.join(", ") };
    let declared = if is_declared {
        "; the template has that rule, so somebody removed it"
    } else {
        "; the template has none, either"
    };
    let peer = match peers.first() {
        Some(peer) => format!("UserIdGroupPairs=[{{GroupId={peer}}}]"),
        None => format!("IpRanges=[{{CidrIp={peer}/32}}]"),
    };
    Cause {
        rule: format!("security group {group}: no {way} rule allows tcp {port} {to} {whom}{declared}"),
        resource,
        fix: format!(
            "Allow it: `aws ec2 {verb} --group-id {group} --ip-permissions 'IpProtocol=tcp,FromPort={port},ToPort={port},{peer}'`, and in the \
             template."
        ),
    }
}

//! Turns all rows of a VPC into one specification for the network plane. Has no side effects.

use crate::{acls, flow_logs, peerings, prefix_lists, shapes::interface::public_ip};
use escale_network as net;
use escale_service::Config;
use escale_store::Image;
use escale_tables::ec2::{
    AclEntry, Endpoint, Group, GroupId, GroupRule, Interface, InterfaceType, InternetGateway, NatGateway,
    NetworkAcl, Peer, RouteTable, Subnet, Target, Vpc, VpcPeering,
};
use ipnet::{IpNet, Ipv4Net};
use std::{collections::BTreeSet, net::Ipv4Addr};

/// The link-local addresses of AWS's services in every network: the resolver, and the metadata of ECS tasks.
const LINK_LOCAL: [Ipv4Addr; 2] = [Ipv4Addr::new(169, 254, 169, 253), Ipv4Addr::new(169, 254, 170, 2)];

/// A NAT gateway's idle timeout. Source: <https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html>
const NAT_IDLE_S: u32 = 350;

/// The name of a group that is no security group: it has no prefix `sg-`.
const OPEN: &str = "open";

pub(super) fn spec(image: &Image, config: &Config, vpc: &Vpc) -> net::VpcSpec {
    let mut spec = net::VpcSpec {
        name: vpc.id.to_string(),
        cidr: vpc.cidr,
        service_addresses: LINK_LOCAL.into(),
        subnets: subnets(image, vpc),
        route_tables: Vec::new(),
        interfaces: interfaces(image, vpc),
        groups: groups(image, config, vpc),
        filters: filters(image, vpc),
        peerings: peerings::accepted(image, &vpc.id).filter_map(|p| peering(&p, vpc)).collect(),
        remote_groups: remote_groups(image, vpc),
        counted: flow_logs::counted(image, &vpc.id),
        internet_gateway: image.scan::<InternetGateway>().any(|g| g.vpc.as_ref() == Some(&vpc.id)),
        // As on AWS, a tracked connection continues after its rule was revoked.
        revoked_flows: net::RevokedFlows::Keep,
        gateway_idle_s: NAT_IDLE_S / u32::try_from(config.clock_speed).unwrap_or(1),
    };
    spec.service_addresses.insert(spec.resolver());
    let tables = image.scan::<RouteTable>().filter(|t| t.vpc == vpc.id);
    spec.route_tables = tables.map(|t| route_table(image, config, vpc, &t)).collect();
    spec
}

fn subnets(image: &Image, vpc: &Vpc) -> Vec<net::Subnet> {
    let main = image.scan::<RouteTable>().find(|t| t.vpc == vpc.id && t.main);
    let main = main.map(|t| t.id.to_string()).unwrap_or_default();
    let of_vpc = image.scan::<Subnet>().filter(|s| s.vpc == vpc.id);
    let subnet = |s: std::sync::Arc<Subnet>| net::Subnet {
        name: s.id.to_string(),
        cidr: s.cidr,
        zone: s.zone.to_string(),
        route_table: s.route_table.as_ref().map_or_else(|| main.clone(), ToString::to_string),
        filter: Some(acls::association_of(image, &s).acl.to_string()),
    };
    of_vpc.map(subnet).collect()
}

fn interfaces(image: &Image, vpc: &Vpc) -> Vec<net::Interface> {
    let of_vpc = image.scan::<Interface>().filter(|i| i.vpc == vpc.id);
    let interface = |i: std::sync::Arc<Interface>| net::Interface {
        name: i.id.to_string(),
        subnet: i.subnet.to_string(),
        address: i.private_ip,
        public_address: public_ip(image, &i),
        groups: match i.interface_type {
            InterfaceType::NetworkLoadBalancer if i.groups.is_empty() => [OPEN.to_owned()].into(),
            _ => i.groups.iter().map(ToString::to_string).collect(),
        },
        source_dest_check: i.source_dest_check,
        kind: kind(&i),
    };
    of_vpc.map(interface).collect()
}

fn kind(interface: &Interface) -> net::Kind {
    if interface.interface_type == InterfaceType::NatGateway { net::Kind::Nat } else { net::Kind::Plain }
}

fn route_table(image: &Image, config: &Config, vpc: &Vpc, table: &RouteTable) -> net::RouteTable {
    let endpoints =
        image.scan::<Endpoint>().filter(|e| e.vpc == vpc.id && e.route_tables.contains(&table.id));
    let mut routes: Vec<net::Route> = Vec::new();
    // The endpoint's routes come first: a destination has one route, and the table's own route to it is dropped below.
    for endpoint in endpoints {
        let list = prefix_lists::of_service(config, &endpoint.service_name);
        routes.extend(
            list.into_iter()
                .flat_map(|list| list.blocks)
                .map(|destination| net::Route { destination, target: net::Target::ServiceEndpoint }),
        );
    }
    for route in &table.routes {
        let IpNet::V4(destination) = route.destination else { continue };
        if routes.iter().all(|r| r.destination != destination) {
            routes.push(net::Route { destination, target: target(image, vpc, &route.target) });
        }
    }
    net::RouteTable { name: table.id.to_string(), routes }
}

/// The target of a route. A target that was deleted or that does not forward becomes a black hole.
fn target(image: &Image, vpc: &Vpc, target: &Target) -> net::Target {
    // The source/destination check drops packets of other addresses, so only an interface without it can forward.
    let to_interface = |id: &str| match image.get::<Interface>(id) {
        Some(i) if i.vpc == vpc.id && (kind(&i) == net::Kind::Nat || !i.source_dest_check) => {
            net::Target::Interface(id.to_owned())
        }
        _ => net::Target::Blackhole,
    };
    match target {
        Target::InternetGateway(id) => match image.get::<InternetGateway>(id.as_str()) {
            Some(gateway) if gateway.vpc.as_ref() == Some(&vpc.id) => net::Target::InternetGateway,
            _ => net::Target::Blackhole,
        },
        Target::NatGateway(id) => match image.get::<NatGateway>(id.as_str()) {
            Some(gateway) if gateway.deleted.is_none() => {
                gateway.interface.as_ref().map_or(net::Target::Blackhole, |i| to_interface(i.as_str()))
            }
            _ => net::Target::Blackhole,
        },
        Target::Interface(id) => to_interface(id.as_str()),
        Target::VpcPeering(id) => {
            let accepted = peerings::accepted(image, &vpc.id).any(|p| p.id == *id);
            if accepted { net::Target::Peering(id.to_string()) } else { net::Target::Blackhole }
        }
        Target::Endpoint(id) if image.has::<Endpoint>(id.as_str()) => net::Target::ServiceEndpoint,
        Target::Endpoint(_) | Target::EgressOnlyInternetGateway(_) => net::Target::Blackhole,
    }
}

fn groups(image: &Image, config: &Config, vpc: &Vpc) -> Vec<net::Group> {
    let of_vpc = image.scan::<Group>().filter(|g| g.vpc == vpc.id);
    let group = |g: std::sync::Arc<Group>| {
        let prefix = format!("{}/", g.id);
        let mut group = net::Group { name: g.id.to_string(), ingress: Vec::new(), egress: Vec::new() };
        for row in image.prefix::<GroupRule>(&prefix) {
            let rules = if row.egress { &mut group.egress } else { &mut group.ingress };
            rules.extend(
                peer(image, config, vpc, &row.peer).map(|peer| net::Rule { protocol: protocol(&row), peer }),
            );
        }
        group
    };
    of_vpc.map(group).chain(open_group(image, vpc)).collect()
}

/// The group of interfaces that accept all traffic, if there is one. The plane drops what no group allows.
fn open_group(image: &Image, vpc: &Vpc) -> Option<net::Group> {
    let is_open =
        |i: &Interface| i.interface_type == InterfaceType::NetworkLoadBalancer && i.groups.is_empty();
    image.scan::<Interface>().find(|i| i.vpc == vpc.id && is_open(i))?;
    let all = || {
        let everyone = net::Peer::Cidr(Ipv4Net::default());
        vec![net::Rule { protocol: net::Protocol::Any, peer: everyone }]
    };
    Some(net::Group { name: OPEN.into(), ingress: all(), egress: all() })
}

fn filters(image: &Image, vpc: &Vpc) -> Vec<net::Filter> {
    let acls = image.scan::<NetworkAcl>().filter(|a| a.vpc == vpc.id);
    let filter = |acl: std::sync::Arc<NetworkAcl>| {
        let way = |egress| acl.entries.iter().filter(move |e| e.egress == egress).filter_map(filter_rule);
        net::Filter { name: acl.id.to_string(), ingress: way(false).collect(), egress: way(true).collect() }
    };
    acls.map(filter).collect()
}

/// `None` for an entry with an IPv6 block: no packet can match it.
fn filter_rule(entry: &AclEntry) -> Option<net::FilterRule> {
    let IpNet::V4(peer) = entry.cidr else { return None };
    let protocol = match (entry.ports, entry.icmp) {
        (Some((first, last)), _) if entry.protocol == acls::UDP => {
            net::Protocol::Udp(net::Ports { first, last })
        }
        (Some((first, last)), _) => net::Protocol::Tcp(net::Ports { first, last }),
        // -1 means all and is no `u8`, so it becomes `None`.
        (None, Some((kind, code))) => {
            net::Protocol::Icmp { kind: u8::try_from(kind).ok(), code: u8::try_from(code).ok() }
        }
        (None, None) => entry.protocol.as_str().parse().map_or(net::Protocol::Any, net::Protocol::Number),
    };
    Some(net::FilterRule { allow: entry.allow, protocol, peer })
}

fn protocol(rule: &GroupRule) -> net::Protocol {
    let port = |n: i32| u16::try_from(n).unwrap_or(0);
    let ports = net::Ports { first: port(rule.from_port), last: port(rule.to_port) };
    // -1 means all and is no `u8`, so it becomes `None`.
    let byte = |n: i32| u8::try_from(n).ok();
    match rule.protocol.as_str() {
        "tcp" => net::Protocol::Tcp(ports),
        "udp" => net::Protocol::Udp(ports),
        "icmpv6" => net::Protocol::Number(58),
        "icmp" => net::Protocol::Icmp { kind: byte(rule.from_port), code: byte(rule.to_port) },
        // The remaining name, -1 for all protocols, does not parse.
        number => number.parse().map_or(net::Protocol::Any, net::Protocol::Number),
    }
}

fn peering(row: &VpcPeering, vpc: &Vpc) -> Option<net::Peering> {
    let (_, other) = row.sides(&vpc.id)?;
    Some(net::Peering { name: row.id.to_string(), network: other.vpc.to_string(), cidr: other.cidr? })
}

/// The groups of peered VPCs that rules of this VPC name.
fn remote_groups(image: &Image, vpc: &Vpc) -> Vec<net::RemoteGroup> {
    // Few VPCs have a peering, and then there is nothing to search.
    if peerings::accepted(image, &vpc.id).next().is_none() {
        return Vec::new();
    }
    let own = image.scan::<Group>().filter(|g| g.vpc == vpc.id);
    let rules = own.flat_map(|g| image.prefix::<GroupRule>(&format!("{}/", g.id)).collect::<Vec<_>>());
    let named: BTreeSet<GroupId> = rules
        .filter_map(|rule| match &rule.peer {
            Peer::Group(id) => Some(id.clone()),
            Peer::Cidr(_) | Peer::PrefixList(_) => None,
        })
        .collect();
    let remote = |id: GroupId| {
        let group = image.get::<Group>(id.as_str()).filter(|g| g.vpc != vpc.id)?;
        let peering = peerings::between(image, &vpc.id, &group.vpc)?;
        let members = image.scan::<Interface>().filter(|i| i.vpc == group.vpc && i.groups.contains(&id));
        let addresses = members.map(|i| i.private_ip).collect();
        Some(net::RemoteGroup { name: id.to_string(), peering: peering.id.to_string(), addresses })
    };
    named.into_iter().filter_map(remote).collect()
}

/// `None` for an IPv6 block and for a group of a VPC that is not peered any more: no packet can match it.
fn peer(image: &Image, config: &Config, vpc: &Vpc, peer: &Peer) -> Option<net::Peer> {
    Some(match peer {
        Peer::Cidr(IpNet::V4(cidr)) => net::Peer::Cidr(*cidr),
        Peer::Cidr(IpNet::V6(_)) => return None,
        Peer::Group(id) => {
            let group = image.get::<Group>(id.as_str())?;
            let is_reachable = group.vpc == vpc.id || peerings::between(image, &vpc.id, &group.vpc).is_some();
            return is_reachable.then(|| net::Peer::Group(id.to_string()));
        }
        Peer::PrefixList(id) => {
            let blocks: Vec<Ipv4Net> =
                prefix_lists::find(config, id.as_str()).map(|l| l.blocks).unwrap_or_default();
            net::Peer::Prefixes(blocks)
        }
    })
}

//! A VPC as the EC2 API describes it, in the terms of the network's evaluation: names are ids of AWS.

use crate::cli::client::Client;
use anyhow::{Context, Result};
use escale_network::{
    Filter, FilterRule, Group, Interface, Kind, Peer, Ports, Protocol, RevokedFlows, Route, RouteTable, Rule,
    Subnet, Target, VpcSpec,
};
use escale_wire::Element;
use ipnet::Ipv4Net;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

pub(super) struct Vpc {
    pub(super) spec: VpcSpec,
    pub(super) id: String,
    /// Rule numbers of network ACLs by id and direction (`true` is inbound), in the order of the filter's rules.
    pub(super) numbers: BTreeMap<(String, bool), Vec<String>>,
    /// Description → interface id.
    descriptions: BTreeMap<String, String>,
}

impl Vpc {
    pub(super) async fn read(client: &Client, id: &str) -> Result<Vpc> {
        let all = |operation: &'static str, list: &'static str| async move {
            let found = client.query("ec2", operation, &[]).await;
            let found = found.with_context(|| format!("{operation} of the VPC {id} failed"))?;
            Ok::<_, anyhow::Error>(found.list(list).to_vec())
        };
        let is_own = |e: &&Element| e.text_of("vpcId") == id;
        let vpcs = all("DescribeVpcs", "vpcSet").await?;
        let vpc = vpcs.iter().find(is_own).with_context(|| format!("there is no VPC {id}"))?;
        let prefixes = prefixes(client).await?;
        let nats = all("DescribeNatGateways", "natGatewaySet").await?;
        let tables = all("DescribeRouteTables", "routeTableSet").await?;
        let acls = all("DescribeNetworkAcls", "networkAclSet").await?;
        let gateways = all("DescribeInternetGateways", "internetGatewaySet").await?;
        let tables: Vec<&Element> = tables.iter().filter(is_own).collect();
        let acls: Vec<&Element> = acls.iter().filter(is_own).collect();
        let interfaces = all("DescribeNetworkInterfaces", "networkInterfaceSet").await?;
        let interfaces: Vec<&Element> = interfaces.iter().filter(is_own).collect();
        let groups = all("DescribeSecurityGroups", "securityGroupInfo").await?;
        let subnets = all("DescribeSubnets", "subnetSet").await?;
        let mut numbers = BTreeMap::new();
        let filters = acls.iter().map(|acl| filter(acl, &mut numbers)).collect();
        let attached = |g: &&Element| g.list("attachmentSet").iter().any(|a| a.text_of("vpcId") == id);
        let spec = VpcSpec {
            name: id.to_owned(),
            cidr: net(vpc.text_of("cidrBlock")).context("the VPC has no IPv4 range")?,
            service_addresses: BTreeSet::new(),
            subnets: subnets.iter().filter(is_own).filter_map(|s| subnet(s, &tables, &acls)).collect(),
            route_tables: tables.iter().map(|t| route_table(t, &nats, &prefixes)).collect(),
            interfaces: interfaces.iter().filter_map(|i| interface(i)).collect(),
            groups: groups.iter().filter(is_own).map(|g| group(g, &prefixes)).collect(),
            filters,
            internet_gateway: gateways.iter().any(|g| attached(&g)),
            revoked_flows: RevokedFlows::Keep,
            // They decide nothing about who reaches whom.
            counted: BTreeSet::new(),
            gateway_idle_s: 0,
        };
        let described =
            |i: &&Element| (i.text_of("description").to_owned() + i.text_of("privateIpAddress"), id_of(i));
        let descriptions = interfaces.iter().map(described).collect();
        Ok(Vpc { spec, id: id.to_owned(), numbers, descriptions })
    }

    /// The interfaces of a load balancer: their description is the end of its ARN.
    pub(super) fn nodes(&self, arn: &str) -> Vec<&Interface> {
        let name = arn.split_once("loadbalancer/").map_or(arn, |(_, name)| name);
        let is_own = |i: &&Interface| {
            self.descriptions
                .iter()
                .any(|(text, id)| *id == i.name && text.starts_with(&format!("ELB {name}")))
        };
        self.spec.interfaces.iter().filter(is_own).collect()
    }

    pub(super) fn interface_at(&self, address: Ipv4Addr) -> Option<&Interface> {
        self.spec.interfaces.iter().find(|i| i.address == address)
    }
}

fn id_of(interface: &Element) -> String {
    interface.text_of("networkInterfaceId").to_owned()
}

fn net(text: &str) -> Option<Ipv4Net> {
    text.parse::<Ipv4Net>().ok().map(|net| net.trunc())
}

/// The IPv4 networks of all prefix lists.
async fn prefixes(client: &Client) -> Result<BTreeMap<String, Vec<Ipv4Net>>> {
    let lists = client.query("ec2", "DescribeManagedPrefixLists", &[]).await?;
    let mut found = BTreeMap::new();
    for list in lists.list("prefixListSet") {
        let id = list.text_of("prefixListId").to_owned();
        let by_id = [("PrefixListId".to_owned(), id.clone())];
        let entries = client.query("ec2", "GetManagedPrefixListEntries", &by_id).await?;
        found.insert(id, entries.list("entrySet").iter().filter_map(|e| net(e.text_of("cidr"))).collect());
    }
    Ok(found)
}

fn subnet(subnet: &Element, tables: &[&Element], acls: &[&Element]) -> Option<Subnet> {
    let id = subnet.text_of("subnetId");
    let associations = |e: &&&Element| e.list("associationSet").iter().any(|a| a.text_of("subnetId") == id);
    let is_main = |e: &&&Element| e.list("associationSet").iter().any(|a| a.text_of("main") == "true");
    let table = tables.iter().find(associations).or_else(|| tables.iter().find(is_main));
    Some(Subnet {
        name: id.to_owned(),
        cidr: net(subnet.text_of("cidrBlock"))?,
        zone: subnet.text_of("availabilityZone").to_owned(),
        route_table: table.map_or_else(String::new, |t| t.text_of("routeTableId").to_owned()),
        filter: acls.iter().find(associations).map(|a| a.text_of("networkAclId").to_owned()),
    })
}

fn route_table(table: &Element, nats: &[Element], prefixes: &BTreeMap<String, Vec<Ipv4Net>>) -> RouteTable {
    let mut routes = Vec::new();
    for route in table.list("routeSet") {
        let own = net(route.text_of("destinationCidrBlock")).into_iter().collect::<Vec<_>>();
        let listed = prefixes.get(route.text_of("destinationPrefixListId")).cloned().unwrap_or_default();
        let gateway = route.text_of("gatewayId");
        let nat = nats.iter().find(|n| n.text_of("natGatewayId") == route.text_of("natGatewayId"));
        let nat = nat.and_then(|n| n.list("natGatewayAddressSet").first());
        let target = match gateway {
            _ if route.text_of("state") == "blackhole" => Target::Blackhole,
            "local" => Target::Local,
            _ if gateway.starts_with("igw-") => Target::InternetGateway,
            _ if gateway.starts_with("vpce-") => Target::ServiceEndpoint,
            _ => match nat {
                Some(nat) => Target::Interface(id_of(nat)),
                None => Target::Interface(id_of(route)),
            },
        };
        routes.extend(
            own.into_iter().chain(listed).map(|destination| Route { destination, target: target.clone() }),
        );
    }
    RouteTable { name: table.text_of("routeTableId").to_owned(), routes }
}

fn interface(interface: &Element) -> Option<Interface> {
    let association = interface.child("association");
    Some(Interface {
        name: id_of(interface),
        subnet: interface.text_of("subnetId").to_owned(),
        address: interface.text_of("privateIpAddress").parse().ok()?,
        public_address: association.and_then(|a| a.text_of("publicIp").parse().ok()),
        groups: interface.list("groupSet").iter().map(|g| g.text_of("groupId").to_owned()).collect(),
        source_dest_check: interface.text_of("sourceDestCheck") != "false",
        kind: if interface.text_of("interfaceType") == "nat_gateway" { Kind::Nat } else { Kind::Plain },
    })
}

fn group(group: &Element, prefixes: &BTreeMap<String, Vec<Ipv4Net>>) -> Group {
    let rules = |list: &str| group.list(list).iter().flat_map(|p| rules(p, prefixes)).collect();
    Group {
        name: group.text_of("groupId").to_owned(),
        ingress: rules("ipPermissions"),
        egress: rules("ipPermissionsEgress"),
    }
}

fn rules(permission: &Element, prefixes: &BTreeMap<String, Vec<Ipv4Net>>) -> Vec<Rule> {
    let protocol = protocol(
        permission.text_of("ipProtocol"),
        permission.text_of("fromPort"),
        permission.text_of("toPort"),
    );
    let networks =
        permission.list("ipRanges").iter().filter_map(|r| net(r.text_of("cidrIp"))).map(Peer::Cidr);
    let groups = permission.list("groups").iter().map(|g| Peer::Group(g.text_of("groupId").to_owned()));
    let listed = permission.list("prefixListIds").iter();
    let listed = listed.filter_map(|p| prefixes.get(p.text_of("prefixListId")).cloned()).map(Peer::Prefixes);
    networks.chain(groups).chain(listed).map(|peer| Rule { protocol, peer }).collect()
}

fn filter(acl: &Element, numbers: &mut BTreeMap<(String, bool), Vec<String>>) -> Filter {
    let id = acl.text_of("networkAclId").to_owned();
    let mut rules = |is_inbound: bool| {
        let egress = if is_inbound { "false" } else { "true" };
        let own = acl.list("entrySet").iter().filter(|e| e.text_of("egress") == egress);
        // Entries for IPv6 only have no IPv4 network.
        let mut own: Vec<(u32, &Element, Ipv4Net)> = own
            .filter_map(|e| Some((e.text_of("ruleNumber").parse().ok()?, e, net(e.text_of("cidrBlock"))?)))
            .collect();
        own.sort_by_key(|(number, ..)| *number);
        numbers.insert((id.clone(), is_inbound), own.iter().map(|(number, ..)| number.to_string()).collect());
        let rule = |(_, entry, peer): &(u32, &Element, Ipv4Net)| {
            let range = entry.child("portRange");
            let port = |name: &str| range.map_or("", |r| r.text_of(name));
            FilterRule {
                allow: entry.text_of("ruleAction") == "allow",
                protocol: protocol(entry.text_of("protocol"), port("from"), port("to")),
                peer: *peer,
            }
        };
        own.iter().map(rule).collect()
    };
    let (ingress, egress) = (rules(true), rules(false));
    Filter { name: id.clone(), ingress, egress }
}

/// Ports without a protocol that has them are ignored by AWS, too.
fn protocol(name: &str, from: &str, to: &str) -> Protocol {
    let ports = match (from.parse(), to.parse()) {
        (Ok(first), Ok(last)) => Ports { first, last },
        _ => Ports::ALL,
    };
    match name {
        "-1" => Protocol::Any,
        "tcp" | "6" => Protocol::Tcp(ports),
        "udp" | "17" => Protocol::Udp(ports),
        "icmp" | "1" => Protocol::Icmp { kind: None, code: None },
        // A protocol that cannot be read matches nothing that is evaluated here: protocol 255 is reserved.
        other => Protocol::Number(other.parse().unwrap_or(u8::MAX)),
    }
}

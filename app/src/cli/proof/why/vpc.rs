//! A VPC as the EC2 API describes it, in the terms of the network's evaluation: names are ids of AWS.

use crate::cli::client::Client;
use anyhow::{Context, Result};
use escale_network::{
    Filter, FilterRule, Group, Interface, Kind, Peer, Peering, Ports, Protocol, RemoteGroup, RevokedFlows,
    Route, RouteTable, Rule, Subnet, Target, VpcSpec,
};
use escale_wire::Element;
use ipnet::Ipv4Net;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

pub(super) struct Vpc {
    pub(super) spec: VpcSpec,
    /// The VPCs that it has peering connections with.
    peers: Vec<VpcSpec>,
    pub(super) id: String,
    /// Rule numbers of network ACLs by id and direction (`true` is inbound), in the order of the filter's rules.
    pub(super) numbers: BTreeMap<(String, bool), Vec<String>>,
    /// Description → interface id.
    descriptions: BTreeMap<String, String>,
}

impl Vpc {
    pub(super) async fn read(client: &Client, id: &str) -> Result<Vpc> {
        let described =
            Described::read(client).await.with_context(|| format!("the VPC {id} cannot be read"))?;
        let mut numbers = BTreeMap::new();
        let spec = described.spec(id, &mut numbers)?;
        let peers = spec.peerings.iter().map(|p| described.spec(&p.network, &mut numbers));
        let peers = peers.collect::<Result<_>>()?;
        let text =
            |i: &&Element| (i.text_of("description").to_owned() + i.text_of("privateIpAddress"), id_of(i));
        let own = described.interfaces.iter().filter(|i| i.text_of("vpcId") == id);
        let descriptions = own.map(|i| text(&i)).collect();
        Ok(Vpc { spec, peers, id: id.to_owned(), numbers, descriptions })
    }

    /// The VPC of that id, if this one has a peering connection with it.
    pub(super) fn peer(&self, id: &str) -> Option<&VpcSpec> {
        self.peers.iter().find(|peer| peer.name == id)
    }

    /// This VPC and those that it has peering connections with.
    fn all(&self) -> impl Iterator<Item = &VpcSpec> {
        std::iter::once(&self.spec).chain(&self.peers)
    }

    /// The VPC that has an address.
    pub(super) fn owner_of(&self, address: Ipv4Addr) -> Option<&VpcSpec> {
        self.all().find(|vpc| vpc.cidr.contains(&address))
    }

    pub(super) fn interface(&self, name: &str) -> Option<&Interface> {
        self.all().find_map(|vpc| vpc.interface(name))
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
        self.all().flat_map(|vpc| &vpc.interfaces).find(|i| i.address == address)
    }
}

/// What EC2 describes.
struct Described {
    vpcs: Vec<Element>,
    subnets: Vec<Element>,
    tables: Vec<Element>,
    acls: Vec<Element>,
    gateways: Vec<Element>,
    nats: Vec<Element>,
    interfaces: Vec<Element>,
    groups: Vec<Element>,
    peerings: Vec<Element>,
    prefixes: BTreeMap<String, Vec<Ipv4Net>>,
}

impl Described {
    async fn read(client: &Client) -> Result<Described> {
        let all = |operation: &'static str, list: &'static str| async move {
            let found = client.query("ec2", operation, &[]).await;
            let found = found.with_context(|| format!("{operation} failed"))?;
            Ok::<_, anyhow::Error>(found.list(list).to_vec())
        };
        Ok(Described {
            vpcs: all("DescribeVpcs", "vpcSet").await?,
            subnets: all("DescribeSubnets", "subnetSet").await?,
            tables: all("DescribeRouteTables", "routeTableSet").await?,
            acls: all("DescribeNetworkAcls", "networkAclSet").await?,
            gateways: all("DescribeInternetGateways", "internetGatewaySet").await?,
            nats: all("DescribeNatGateways", "natGatewaySet").await?,
            interfaces: all("DescribeNetworkInterfaces", "networkInterfaceSet").await?,
            groups: all("DescribeSecurityGroups", "securityGroupInfo").await?,
            peerings: all("DescribeVpcPeeringConnections", "vpcPeeringConnectionSet").await?,
            prefixes: prefixes(client).await?,
        })
    }

    fn spec(&self, id: &str, numbers: &mut BTreeMap<(String, bool), Vec<String>>) -> Result<VpcSpec> {
        let is_own = |e: &&Element| e.text_of("vpcId") == id;
        let vpc = self.vpcs.iter().find(is_own).with_context(|| format!("there is no VPC {id}"))?;
        let tables: Vec<&Element> = self.tables.iter().filter(is_own).collect();
        let acls: Vec<&Element> = self.acls.iter().filter(is_own).collect();
        let groups: Vec<&Element> = self.groups.iter().filter(is_own).collect();
        let filters = acls.iter().map(|acl| filter(acl, numbers)).collect();
        let attached = |g: &Element| g.list("attachmentSet").iter().any(|a| a.text_of("vpcId") == id);
        let subnets = self.subnets.iter().filter(is_own);
        Ok(VpcSpec {
            name: id.to_owned(),
            cidr: net(vpc.text_of("cidrBlock")).context("the VPC has no IPv4 range")?,
            service_addresses: BTreeSet::new(),
            subnets: subnets.filter_map(|s| subnet(s, &tables, &acls)).collect(),
            route_tables: tables.iter().map(|t| route_table(t, &self.nats, &self.prefixes)).collect(),
            interfaces: self.interfaces.iter().filter(is_own).filter_map(interface).collect(),
            groups: groups.iter().map(|g| group(g, &self.prefixes)).collect(),
            filters,
            peerings: self.peerings.iter().filter_map(|p| peering(p, id)).collect(),
            remote_groups: groups.iter().flat_map(|g| self.remote_groups(g)).collect(),
            internet_gateway: self.gateways.iter().any(attached),
            revoked_flows: RevokedFlows::Keep,
            // They decide nothing about who reaches whom.
            counted: BTreeSet::new(),
            gateway_idle_s: 0,
        })
    }

    /// The groups of peered VPCs that the rules of a group name.
    fn remote_groups(&self, group: &Element) -> Vec<RemoteGroup> {
        let lists = ["ipPermissions", "ipPermissionsEgress"];
        let pairs = lists.iter().flat_map(|list| group.list(list)).flat_map(|p| p.list("groups"));
        let active = pairs.filter(|pair| pair.text_of("peeringStatus") == "active");
        let remote = active.map(|pair| {
            let name = pair.text_of("groupId");
            let has = |i: &&Element| i.list("groupSet").iter().any(|g| g.text_of("groupId") == name);
            let members = self.interfaces.iter().filter(has);
            RemoteGroup {
                name: name.to_owned(),
                peering: pair.text_of("vpcPeeringConnectionId").to_owned(),
                addresses: members.filter_map(|i| i.text_of("privateIpAddress").parse().ok()).collect(),
            }
        });
        remote.collect()
    }
}

/// An active peering connection of this VPC.
fn peering(peering: &Element, vpc: &str) -> Option<Peering> {
    let code = peering.child("status").map_or("", |status| status.text_of("code"));
    let sides = (peering.child("requesterVpcInfo")?, peering.child("accepterVpcInfo")?);
    let other = match (sides.0.text_of("vpcId") == vpc, sides.1.text_of("vpcId") == vpc) {
        (true, _) => sides.1,
        (_, true) => sides.0,
        _ => return None,
    };
    (code == "active").then_some(())?;
    Some(Peering {
        name: peering.text_of("vpcPeeringConnectionId").to_owned(),
        network: other.text_of("vpcId").to_owned(),
        cidr: net(other.text_of("cidrBlock"))?,
    })
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
            _ if !route.text_of("vpcPeeringConnectionId").is_empty() => {
                Target::Peering(route.text_of("vpcPeeringConnectionId").to_owned())
            }
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

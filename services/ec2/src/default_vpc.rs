//! The account's default VPC. The first start creates it; operations use it when a request names no VPC.
//!
//! <https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc-components.html>

use crate::{Error, acls, initial, peerings};
use escale_base::Timestamp;
use escale_service::Config;
use escale_store::{Image, Tx};
use escale_tables::ec2::{
    DefaultSubnet, DefaultVpc, Interface, InternetGateway, InternetGatewayId, Route, RouteTable, Subnet,
    SubnetId, Target, Vpc, VpcId, VpcSeen, VpcTold,
};
use ipnet::Ipv4Net;
use std::{net::Ipv4Addr, sync::Arc};

/// AWS's range for default VPCs.
const BLOCK: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(172, 31, 0, 0), 16);
/// The size of a default subnet.
const SUBNET_PREFIX: u8 = 20;

/// Creates the default VPC if the installation has never had one. A deleted default VPC is not created again.
pub(crate) fn install(tx: &mut Tx, config: &Config, now: Timestamp) {
    if !tx.has::<DefaultVpc>(DefaultVpc::KEY) {
        create(tx, config, now);
    }
}

/// Writes the rows of the default VPC: its subnets, Internet gateway, main route table and security group.
pub(crate) fn create(tx: &mut Tx, config: &Config, now: Timestamp) -> Vpc {
    let vpc = Vpc {
        id: VpcId::random(),
        cidr: BLOCK,
        dns_support: true,
        dns_hostnames: true,
        tags: Vec::new(),
        created: now,
    };
    let gateway =
        InternetGateway { id: InternetGatewayId::random(), vpc: Some(vpc.id.clone()), tags: Vec::new() };
    let to_internet =
        Route { destination: Ipv4Net::default().into(), target: Target::InternetGateway(gateway.id.clone()) };
    let table = initial::main_route_table(&vpc, vec![to_internet]);
    initial::default_group(tx, &vpc);
    tx.put(acls::default_acl(&vpc));
    tx.put(gateway);
    tx.put::<RouteTable>(table);
    tx.put(vpc.clone());
    tx.put(DefaultVpc { vpc: Some(vpc.id.clone()) });
    // As on AWS, each zone gets a subnet, in consecutive blocks.
    for (zone, cidr) in config.zones.iter().zip(blocks()) {
        put_subnet(tx, &vpc.id, zone, cidr, now);
    }
    vpc
}

/// Writes the default subnet of a zone. As on AWS, default subnets assign public addresses to instances.
pub(crate) fn put_subnet(tx: &mut Tx, vpc: &VpcId, zone: &str, cidr: Ipv4Net, now: Timestamp) -> Subnet {
    let subnet = Subnet {
        id: SubnetId::random(),
        vpc: vpc.clone(),
        cidr,
        zone: zone.to_owned().into(),
        map_public_ip: true,
        route_table: None,
        tags: Vec::new(),
        created: now,
    };
    tx.put(DefaultSubnet { zone: zone.to_owned().into(), subnet: subnet.id.clone() });
    tx.put(subnet.clone());
    subnet
}

/// The CIDR blocks for default subnets, in AWS's order.
pub(crate) fn blocks() -> impl Iterator<Item = Ipv4Net> {
    BLOCK.subnets(SUBNET_PREFIX).into_iter().flatten()
}

pub(crate) fn is_default_subnet(image: &Image, subnet: &Subnet) -> bool {
    image.get::<DefaultSubnet>(&subnet.zone).is_some_and(|d| d.subnet == subnet.id)
}

/// The default VPC, for a request that names none.
pub(crate) fn required(image: &Image) -> Result<Arc<Vpc>, Error> {
    let vpc = DefaultVpc::of(image).and_then(|id| image.get::<Vpc>(id.as_str()));
    vpc.ok_or(Error::NoDefaultVpc)
}

/// Whether the network plane must build this VPC. Every installation has a default VPC and few use it, so its network is built
/// with its first interface or peering connection. After that it is kept, like any other VPC's.
pub(crate) fn needs_network(image: &Image, vpc: &VpcId) -> bool {
    // A network that the plane has built once is kept when its last interface is deleted.
    DefaultVpc::of(image).as_ref() != Some(vpc)
        || image.has::<VpcSeen>(vpc.as_str())
        || image.has::<VpcTold>(vpc.as_str())
        || image.scan::<Interface>().any(|i| i.vpc == *vpc)
        || peerings::accepted(image, vpc).next().is_some()
}

//! IPv6 blocks of VPCs and subnets. They are stored and shown only: networks carry IPv4.

use crate::{Error, rules};
use escale_service::Cx;
use escale_store::{Image, Tx};
use escale_tables::ec2::{
    Subnet, SubnetCidrAssociationId, SubnetId, SubnetIpv6Block, Vpc, VpcCidrAssociationId, VpcId,
    VpcIpv6Block,
};
use ipnet::Ipv6Net;
use std::{net::Ipv6Addr, sync::Arc};

/// A part of the range for documentation (RFC 3849), so that no block is a real host's.
const POOL: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 0xdb8, 0x1000, 0, 0, 0, 0, 0), 36);

/// The prefix length of the blocks that AWS provides for VPCs.
const VPC_PREFIX: u8 = 56;

pub(crate) fn of_vpc(image: &Image, vpc: &VpcId) -> Option<Arc<VpcIpv6Block>> {
    image.get::<VpcIpv6Block>(vpc.as_str())
}

pub(crate) fn of_subnet(image: &Image, subnet: &SubnetId) -> Option<Arc<SubnetIpv6Block>> {
    image.get::<SubnetIpv6Block>(subnet.as_str())
}

/// The ID of the association of a VPC with its IPv4 block. It is derived from the VPC's ID.
pub(crate) fn ipv4_association_id(vpc: &VpcId) -> String {
    vpc.as_str().replacen("vpc-", "vpc-cidr-assoc-", 1)
}

/// The type and the ID of the resource that has this association with a block, for authorization.
pub(crate) fn owner(image: &Image, association: &str) -> Option<(&'static str, String)> {
    let of_subnet = image.scan::<SubnetIpv6Block>().find(|b| b.id.as_str() == association);
    if let Some(block) = of_subnet {
        return Some(("subnet", block.subnet.to_string()));
    }
    let of_vpc = image.scan::<VpcIpv6Block>().find(|b| b.id.as_str() == association).map(|b| b.vpc.clone());
    let of_ipv4 = || {
        let vpc = image.scan::<Vpc>().find(|vpc| ipv4_association_id(&vpc.id) == association)?;
        Some(vpc.id.clone())
    };
    of_vpc.or_else(of_ipv4).map(|vpc| ("vpc", vpc.to_string()))
}

/// Whether a block has four groups of four digits, like those of AWS. Public templates rely on it: they replace the end
/// `00::/56` by `01::/64`.
fn is_long(block: Ipv6Net) -> bool {
    block.network().segments()[2..4].iter().all(|group| *group >= 0x1000)
}

/// Gives a VPC the lowest free block.
pub(crate) fn associate_vpc(tx: &mut Tx, vpc: &VpcId) -> Result<VpcIpv6Block, Error> {
    if let Some(block) = of_vpc(tx, vpc) {
        return Err(rules::refuse_with_hint(
            format_args!("A second IPv6 block of {vpc}"),
            format_args!("The VPC has {} already.", block.cidr),
        ));
    }
    let used: Vec<Ipv6Net> = tx.scan::<VpcIpv6Block>().map(|block| block.cidr).collect();
    let mut blocks = POOL.subnets(VPC_PREFIX).into_iter().flatten().filter(|block| is_long(*block));
    let cidr = blocks.find(|block| !used.contains(block)).ok_or_else(|| {
        Error::InUse(format!("All IPv6 blocks of {POOL} are in use. Disassociate one from its VPC."))
    })?;
    let block = VpcIpv6Block { id: VpcCidrAssociationId::random(), vpc: vpc.clone(), cidr };
    tx.put(block.clone());
    Ok(block)
}

/// Gives a subnet a part of its VPC's block.
pub(crate) fn associate_subnet(
    cx: &mut Cx<'_>,
    subnet: &Subnet,
    text: &str,
) -> Result<SubnetIpv6Block, Error> {
    let cidr = rules::ipv6_cidr("ipv6CidrBlock", text)?;
    if let Some(block) = of_subnet(cx.tx, &subnet.id) {
        return Err(rules::refuse_with_hint(
            format_args!("A second IPv6 block of {}", subnet.id),
            format_args!("The subnet has {} already.", block.cidr),
        ));
    }
    if !(44..=64).contains(&cidr.prefix_len()) || cidr.prefix_len() % 4 != 0 {
        let why = " The prefix length of a subnet's IPv6 block is 44 to 64, in steps of 4.".into();
        return Err(Error::SubnetRange(text.to_owned(), why));
    }
    match of_vpc(cx.tx, &subnet.vpc) {
        Some(block) if block.cidr.contains(&cidr) => {}
        Some(block) => {
            let why = format!(" It is not part of {}, the IPv6 block of {}.", block.cidr, subnet.vpc);
            return Err(Error::SubnetRange(text.to_owned(), why));
        }
        None => {
            let why = format!(" {} has no IPv6 block.", subnet.vpc);
            return Err(Error::SubnetRange(text.to_owned(), why));
        }
    }
    // Two blocks are either disjoint or one contains the other.
    let overlaps = |b: &SubnetIpv6Block| b.cidr.contains(&cidr.network()) || cidr.contains(&b.cidr.network());
    if let Some(other) = cx.tx.scan::<SubnetIpv6Block>().find(|b| b.vpc == subnet.vpc && overlaps(b)) {
        return Err(Error::SubnetConflict(cidr.into(), other.subnet.to_string(), other.cidr.into()));
    }
    let block = SubnetIpv6Block {
        id: SubnetCidrAssociationId::random(),
        subnet: subnet.id.clone(),
        vpc: subnet.vpc.clone(),
        cidr,
        assign_on_creation: false,
    };
    cx.tx.put(block.clone());
    Ok(block)
}

//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSubnet.html>

use crate::{Error, choices::ResourceType, ipv6, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Subnet, SubnetId, Vpc, VpcId};
use ipnet::Ipv4Net;

pub(crate) struct CreateSubnet;

#[derive(Wire)]
pub(crate) struct Input {
    vpc_id: VpcId,
    cidr_block: Option<String>,
    ipv6_cidr_block: Option<String>,
    availability_zone: Option<String>,
    availability_zone_id: Option<String>,
    tag_specifications: Vec<shapes::TagSpecification>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) subnet: shapes::subnet::SubnetShape,
}

impl Operation for CreateSubnet {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![cx.arn("ec2", format!("vpc/{}", input.vpc_id)).to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let vpc = rules::find::<Vpc>(cx, input.vpc_id.as_str())?;
        let cidr = block(cx, &vpc, &input.cidr_block.ok_or(Error::Missing("cidrBlock"))?)?;
        let subnet = Subnet {
            id: SubnetId::random(),
            vpc: vpc.id.clone(),
            cidr,
            zone: zone(cx, &vpc, input.availability_zone, input.availability_zone_id)?.into(),
            map_public_ip: false,
            route_table: None,
            tags: shapes::tags_for(&input.tag_specifications, ResourceType::Subnet)?,
            created: cx.now,
        };
        cx.tx.put(subnet.clone());
        if let Some(text) = input.ipv6_cidr_block {
            ipv6::associate_subnet(cx, &subnet, &text)?;
        }
        Ok(Output { subnet: shapes::subnet::subnet(cx, &subnet) })
    }
}

/// Parses a subnet's block. It must be part of the VPC's block and must not overlap another subnet.
fn block(cx: &Cx<'_>, vpc: &Vpc, text: &str) -> Result<Ipv4Net, Error> {
    let cidr = rules::cidr("cidrBlock", text)?;
    if !rules::VPC_PREFIXES.contains(&cidr.prefix_len()) {
        let why = " The prefix length of a subnet's block is 16 to 28.".into();
        return Err(Error::SubnetRange(text.to_owned(), why));
    }
    if !vpc.cidr.contains(&cidr) {
        let why = format!(" It is not part of {}, the block of {}.", vpc.cidr, vpc.id);
        return Err(Error::SubnetRange(text.to_owned(), why));
    }
    match overlapping(cx, vpc, cidr) {
        Some(other) => Err(Error::SubnetConflict(cidr.into(), other.id.to_string(), other.cidr.into())),
        None => Ok(cidr),
    }
}

/// A subnet of the VPC that overlaps this block.
pub(super) fn overlapping(cx: &Cx<'_>, vpc: &Vpc, cidr: Ipv4Net) -> Option<std::sync::Arc<Subnet>> {
    // Two CIDR blocks are either disjoint or one contains the other.
    let overlaps = |s: &Subnet| s.cidr.contains(&cidr.network()) || cidr.contains(&s.cidr.network());
    cx.tx.scan::<Subnet>().find(|s| s.vpc == vpc.id && overlaps(s))
}

/// The requested zone, by name or by id; without a request, the zone with the fewest subnets of this VPC.
pub(super) fn zone(
    cx: &Cx<'_>,
    vpc: &Vpc,
    name: Option<String>,
    id: Option<String>,
) -> Result<String, Error> {
    let zones = &cx.config.zones;
    let known = || zones.join(", ");
    match (name, id) {
        (Some(name), None) => {
            if zones.contains(&name) {
                Ok(name)
            } else {
                Err(Error::invalid(
                    "availabilityZone",
                    name,
                    format!(
                        "Subnets can currently only be created in the following availability zones: {}.",
                        known()
                    ),
                ))
            }
        }
        (None, Some(id)) => zones.iter().find(|z| cx.config.zone_id(z) == id).cloned().ok_or_else(|| {
            Error::invalid("availabilityZoneId", id, format!("The zones of this region are {}.", known()))
        }),
        (Some(_), Some(_)) => {
            Err(Error::Combination("Specify either availabilityZone or availabilityZoneId, not both.".into()))
        }
        (None, None) => {
            let count = |zone: &&String| {
                cx.tx.scan::<Subnet>().filter(|s| s.vpc == vpc.id && s.zone == **zone).count()
            };
            zones.iter().min_by_key(count).cloned().ok_or_else(|| Error::Missing("availabilityZone"))
        }
    }
}

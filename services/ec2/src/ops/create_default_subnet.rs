//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateDefaultSubnet.html>

use super::create_subnet;
use crate::{Error, default_vpc, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::DefaultSubnet;

pub(crate) struct CreateDefaultSubnet;

#[derive(Wire)]
pub(crate) struct Input {
    availability_zone: Option<String>,
    availability_zone_id: Option<String>,
    ipv6_native: Option<bool>,
}

#[derive(Wire)]
pub(crate) struct Output {
    subnet: shapes::subnet::SubnetShape,
}

impl Operation for CreateDefaultSubnet {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        if input.ipv6_native == Some(true) {
            return Err(rules::refuse("Ipv6Native=true"));
        }
        if input.availability_zone.is_none() && input.availability_zone_id.is_none() {
            return Err(Error::Missing("availabilityZone"));
        }
        let vpc = default_vpc::required(cx.tx)?;
        let zone = create_subnet::zone(cx, &vpc, input.availability_zone, input.availability_zone_id)?;
        if let Some(existing) = cx.tx.get::<DefaultSubnet>(&zone) {
            return Err(Error::DefaultSubnetExists(existing.subnet.to_string(), zone));
        }
        let free = default_vpc::blocks().find(|block| create_subnet::overlapping(cx, &vpc, *block).is_none());
        let cidr = free.ok_or_else(|| Error::DefaultVpcFull(vpc.id.to_string()))?;
        let subnet = default_vpc::put_subnet(cx.tx, &vpc.id, &zone, cidr, cx.now);
        Ok(Output { subnet: shapes::subnet::subnet(cx, &subnet) })
    }
}

//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSubnets.html>

use crate::{
    Error,
    filters::{self, Filter, maybe, one},
    ipv6, rules, shapes,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Subnet, SubnetId};

pub(crate) struct DescribeSubnets;

#[derive(Wire)]
pub(crate) struct Input {
    subnet_ids: Vec<SubnetId>,
    filters: Vec<Filter>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) subnets: Vec<shapes::subnet::SubnetShape>,
    next_token: Option<String>,
}

impl Operation for DescribeSubnets {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut found = Vec::new();
        for row in rules::named::<Subnet>(cx, &input.subnet_ids)? {
            let shape = shapes::subnet::subnet(cx, &row);
            let value_of = |name: &str| match name {
                "subnet-id" => one(&row.id),
                "vpc-id" => one(&row.vpc),
                "cidr" | "cidr-block" | "cidrBlock" => one(row.cidr),
                "ipv6-cidr-block-association.ipv6-cidr-block" => {
                    maybe(ipv6::of_subnet(cx.tx, &row.id).map(|block| block.cidr))
                }
                "ipv6-cidr-block-association.association-id" => {
                    maybe(ipv6::of_subnet(cx.tx, &row.id).map(|block| block.id.clone()))
                }
                "availability-zone" | "availabilityZone" => one(&row.zone),
                "availability-zone-id" | "availabilityZoneId" => one(&shape.availability_zone_id),
                "available-ip-address-count" => one(shape.available_ip_address_count),
                "state" => one(shape.state),
                "default-for-az" | "defaultForAz" => one(shape.default_for_az),
                "map-public-ip-on-launch" => one(row.map_public_ip),
                "owner-id" => one(&shape.owner_id),
                "subnet-arn" => one(&shape.subnet_arn),
                _ => None,
            };
            if filters::passes(&input.filters, &row.tags, value_of)? {
                found.push(shape);
            }
        }
        let key = |s: &shapes::subnet::SubnetShape| s.subnet_id.to_string();
        let (subnets, next_token) = filters::page(found, key, input.next_token, input.max_results)?;
        Ok(Output { subnets, next_token })
    }
}

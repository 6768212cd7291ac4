//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcs.html>

use crate::{
    Error,
    filters::{self, Filter, maybe, one},
    ipv6, rules, shapes, status,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Vpc, VpcId};

pub(crate) struct DescribeVpcs;

#[derive(Wire)]
pub(crate) struct Input {
    vpc_ids: Vec<VpcId>,
    filters: Vec<Filter>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) vpcs: Vec<shapes::vpc::VpcShape>,
    next_token: Option<String>,
}

impl Operation for DescribeVpcs {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut found = Vec::new();
        for row in rules::named::<Vpc>(cx, &input.vpc_ids)? {
            let shape = shapes::vpc::vpc(cx, &row, status::vpc(cx.tx, &row.id));
            let value_of = |name: &str| match name {
                "vpc-id" => one(&row.id),
                "cidr" | "cidr-block" | "cidrBlock" | "cidr-block-association.cidr-block" => one(row.cidr),
                "cidr-block-association.association-id" => one(ipv6::ipv4_association_id(&row.id)),
                "cidr-block-association.state" => one("associated"),
                "ipv6-cidr-block-association.ipv6-cidr-block" => {
                    maybe(ipv6::of_vpc(cx.tx, &row.id).map(|block| block.cidr))
                }
                "ipv6-cidr-block-association.association-id" => {
                    maybe(ipv6::of_vpc(cx.tx, &row.id).map(|block| block.id.clone()))
                }
                "dhcp-options-id" => one(&shape.dhcp_options_id),
                "state" => one(shape.state),
                "is-default" | "isDefault" => one(shape.is_default),
                "owner-id" => one(&cx.config.account),
                _ => None,
            };
            if filters::passes(&input.filters, &row.tags, value_of)? {
                found.push(shape);
            }
        }
        let key = |v: &shapes::vpc::VpcShape| v.vpc_id.to_string();
        let (vpcs, next_token) = filters::page(found, key, input.next_token, input.max_results)?;
        Ok(Output { vpcs, next_token })
    }
}

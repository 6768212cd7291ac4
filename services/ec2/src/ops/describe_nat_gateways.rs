//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNatGateways.html>

use crate::{
    Error,
    filters::{self, Filter, one},
    rules,
    shapes::gateway::{self, NatGatewayShape},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{NatGateway, NatGatewayId};

pub(crate) struct DescribeNatGateways;

#[derive(Wire)]
pub(crate) struct Input {
    nat_gateway_ids: Vec<NatGatewayId>,
    filter: Vec<Filter>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) nat_gateways: Vec<NatGatewayShape>,
    next_token: Option<String>,
}

impl Operation for DescribeNatGateways {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut found = Vec::new();
        for row in rules::named::<NatGateway>(cx, &input.nat_gateway_ids)? {
            // The row is deleted only when the next gateway is created.
            if gateway::is_expired(cx.tx, &row, cx.now) {
                continue;
            }
            let shape = gateway::nat(cx, &row);
            let value_of = |name: &str| match name {
                "nat-gateway-id" => one(&row.id),
                "vpc-id" => one(&row.vpc),
                "subnet-id" => one(&row.subnet),
                "state" => one(shape.state),
                _ => None,
            };
            if filters::passes(&input.filter, &row.tags, value_of)? {
                found.push(shape);
            }
        }
        let key = |n: &NatGatewayShape| n.nat_gateway_id.to_string();
        let (nat_gateways, next_token) = filters::page(found, key, input.next_token, input.max_results)?;
        Ok(Output { nat_gateways, next_token })
    }
}

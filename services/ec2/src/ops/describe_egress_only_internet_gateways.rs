//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeEgressOnlyInternetGateways.html>

use crate::{
    Error,
    filters::{self, Filter},
    rules,
    shapes::ipv6::{EgressOnlyShape, egress_only},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{EgressOnlyInternetGateway, EgressOnlyInternetGatewayId};

pub(crate) struct DescribeEgressOnlyInternetGateways;

#[derive(Wire)]
pub(crate) struct Input {
    egress_only_internet_gateway_ids: Vec<EgressOnlyInternetGatewayId>,
    filters: Vec<Filter>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) egress_only_internet_gateways: Vec<EgressOnlyShape>,
    next_token: Option<String>,
}

impl Operation for DescribeEgressOnlyInternetGateways {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut found = Vec::new();
        let ids = &input.egress_only_internet_gateway_ids;
        for row in rules::named::<EgressOnlyInternetGateway>(cx, ids)? {
            // AWS documents filters of tags only.
            if filters::passes(&input.filters, &row.tags, |_| None)? {
                found.push(egress_only(&row));
            }
        }
        let key = |g: &EgressOnlyShape| g.egress_only_internet_gateway_id.to_string();
        let (egress_only_internet_gateways, next_token) =
            filters::page(found, key, input.next_token, input.max_results)?;
        Ok(Output { egress_only_internet_gateways, next_token })
    }
}

//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInternetGateways.html>

use crate::{
    Error,
    filters::{self, Filter, many, maybe, one},
    rules,
    shapes::gateway::{self, InternetGatewayShape},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{InternetGateway, InternetGatewayId};

pub(crate) struct DescribeInternetGateways;

#[derive(Wire)]
pub(crate) struct Input {
    internet_gateway_ids: Vec<InternetGatewayId>,
    filters: Vec<Filter>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) internet_gateways: Vec<InternetGatewayShape>,
    next_token: Option<String>,
}

impl Operation for DescribeInternetGateways {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut found = Vec::new();
        for row in rules::named::<InternetGateway>(cx, &input.internet_gateway_ids)? {
            let shape = gateway::internet(cx, &row);
            let value_of = |name: &str| match name {
                "internet-gateway-id" => one(&row.id),
                "attachment.vpc-id" => maybe(row.vpc.as_ref()),
                "attachment.state" => many(shape.attachments.iter().map(|a| a.state)),
                "owner-id" => one(&cx.config.account),
                _ => None,
            };
            if filters::passes(&input.filters, &row.tags, value_of)? {
                found.push(shape);
            }
        }
        let key = |g: &InternetGatewayShape| g.internet_gateway_id.to_string();
        let (internet_gateways, next_token) = filters::page(found, key, input.next_token, input.max_results)?;
        Ok(Output { internet_gateways, next_token })
    }
}

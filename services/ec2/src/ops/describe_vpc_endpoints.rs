//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcEndpoints.html>

use crate::{
    Error,
    filters::{self, Filter, one},
    rules,
    shapes::gateway::{self, EndpointShape},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Endpoint, EndpointId};

pub(crate) struct DescribeVpcEndpoints;

#[derive(Wire)]
pub(crate) struct Input {
    vpc_endpoint_ids: Vec<EndpointId>,
    filters: Vec<Filter>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) vpc_endpoints: Vec<EndpointShape>,
    next_token: Option<String>,
}

impl Operation for DescribeVpcEndpoints {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut found = Vec::new();
        for row in rules::named::<Endpoint>(cx, &input.vpc_endpoint_ids)? {
            let shape = gateway::endpoint(cx, &row);
            let value_of = |name: &str| match name {
                "vpc-endpoint-id" => one(&row.id),
                "vpc-id" => one(&row.vpc),
                "service-name" => one(&row.service_name),
                "vpc-endpoint-state" => one(shape.state),
                "vpc-endpoint-type" => one(shape.vpc_endpoint_type.as_str()),
                _ => None,
            };
            if filters::passes(&input.filters, &row.tags, value_of)? {
                found.push(shape);
            }
        }
        let key = |e: &EndpointShape| e.vpc_endpoint_id.to_string();
        let (vpc_endpoints, next_token) = filters::page(found, key, input.next_token, input.max_results)?;
        Ok(Output { vpc_endpoints, next_token })
    }
}

//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRouteTables.html>

use crate::{
    Error,
    filters::{self, Filter, many, one},
    rules,
    shapes::route_table::{self, RouteTableShape},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{RouteTable, RouteTableId};

pub(crate) struct DescribeRouteTables;

#[derive(Wire)]
pub(crate) struct Input {
    route_table_ids: Vec<RouteTableId>,
    filters: Vec<Filter>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) route_tables: Vec<RouteTableShape>,
    next_token: Option<String>,
}

impl Operation for DescribeRouteTables {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut found = Vec::new();
        for row in rules::named::<RouteTable>(cx, &input.route_table_ids)? {
            let shape = route_table::route_table(cx, &row);
            if filters::passes(&input.filters, &row.tags, |name| value_of(&shape, name))? {
                found.push(shape);
            }
        }
        let key = |t: &RouteTableShape| t.route_table_id.to_string();
        let (route_tables, next_token) = filters::page(found, key, input.next_token, input.max_results)?;
        Ok(Output { route_tables, next_token })
    }
}

fn value_of(shape: &RouteTableShape, name: &str) -> Option<Vec<String>> {
    let (routes, associations) = (&shape.routes, &shape.associations);
    match name {
        "route-table-id" => one(&shape.route_table_id),
        "vpc-id" => one(&shape.vpc_id),
        "owner-id" => one(&shape.owner_id),
        "association.route-table-association-id" => {
            many(associations.iter().map(|a| &a.route_table_association_id))
        }
        "association.route-table-id" => many(associations.iter().map(|a| &a.route_table_id)),
        "association.subnet-id" => many(associations.iter().filter_map(|a| a.subnet_id.as_ref())),
        "association.main" => many(associations.iter().map(|a| a.main)),
        // A valid filter that matches nothing, because gateways are not associated with route tables here.
        "association.gateway-id" => Some(Vec::new()),
        "route.destination-cidr-block" => {
            many(routes.iter().filter_map(|r| r.destination_cidr_block.as_ref()))
        }
        "route.destination-ipv6-cidr-block" => {
            many(routes.iter().filter_map(|r| r.destination_ipv6_cidr_block.as_ref()))
        }
        "route.egress-only-internet-gateway-id" => {
            many(routes.iter().filter_map(|r| r.egress_only_internet_gateway_id.as_ref()))
        }
        "route.destination-prefix-list-id" => {
            many(routes.iter().filter_map(|r| r.destination_prefix_list_id.as_ref()))
        }
        "route.gateway-id" => many(routes.iter().filter_map(|r| r.gateway_id.as_ref())),
        "route.nat-gateway-id" => many(routes.iter().filter_map(|r| r.nat_gateway_id.as_ref())),
        "route.origin" => many(routes.iter().filter_map(|r| r.origin)),
        "route.state" => many(routes.iter().filter_map(|r| r.state)),
        _ => None,
    }
}

//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcPeeringConnections.html>

use crate::{
    Error,
    filters::{self, Filter, maybe, one},
    peerings, rules,
    shapes::peering::{PeeringShape, VpcInfo, peering},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{VpcPeering, VpcPeeringId};

pub(crate) struct DescribeVpcPeeringConnections;

#[derive(Wire)]
pub(crate) struct Input {
    vpc_peering_connection_ids: Vec<VpcPeeringId>,
    filters: Vec<Filter>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) vpc_peering_connections: Vec<PeeringShape>,
    next_token: Option<String>,
}

impl Operation for DescribeVpcPeeringConnections {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        for id in &input.vpc_peering_connection_ids {
            peerings::find(cx, id)?;
        }
        let mut found = Vec::new();
        for row in rules::named::<VpcPeering>(cx, &input.vpc_peering_connection_ids)? {
            if peerings::is_hidden(cx.tx, &row, cx.now) {
                continue;
            }
            let shape = peering(cx, &row);
            if filters::passes(&input.filters, &row.tags, |name| value_of(&shape, name))? {
                found.push(shape);
            }
        }
        let key = |p: &PeeringShape| p.vpc_peering_connection_id.to_string();
        let (vpc_peering_connections, next_token) =
            filters::page(found, key, input.next_token, input.max_results)?;
        Ok(Output { vpc_peering_connections, next_token })
    }
}

fn value_of(shape: &PeeringShape, name: &str) -> Option<Vec<String>> {
    let of_side = |side: &VpcInfo, name: &str| match name {
        "cidr-block" => maybe(side.cidr_block.as_ref()),
        "owner-id" => one(&side.owner_id),
        "vpc-id" => one(&side.vpc_id),
        _ => None,
    };
    match name {
        "vpc-peering-connection-id" => one(&shape.vpc_peering_connection_id),
        "status-code" => one(shape.status.code),
        "status-message" => one(&shape.status.message),
        "expiration-time" => maybe(shape.expiration_time.map(|time| time.iso8601())),
        _ => match name.split_once('.') {
            Some(("requester-vpc-info", name)) => of_side(&shape.requester_vpc_info, name),
            Some(("accepter-vpc-info", name)) => of_side(&shape.accepter_vpc_info, name),
            _ => None,
        },
    }
}

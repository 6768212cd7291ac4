//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkInterfaces.html>

use crate::{
    Error,
    filters::{self, Filter, many, maybe, one},
    rules,
    shapes::interface::{self, InterfaceShape},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Interface, InterfaceId};

pub(crate) struct DescribeNetworkInterfaces;

#[derive(Wire)]
pub(crate) struct Input {
    network_interface_ids: Vec<InterfaceId>,
    filters: Vec<Filter>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) network_interfaces: Vec<InterfaceShape>,
    next_token: Option<String>,
}

impl Operation for DescribeNetworkInterfaces {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut found = Vec::new();
        for row in rules::named::<Interface>(cx, &input.network_interface_ids)? {
            let shape = interface::interface(cx, &row);
            if filters::passes(&input.filters, &row.tags, |name| value_of(&shape, name))? {
                found.push(shape);
            }
        }
        let key = |i: &InterfaceShape| i.network_interface_id.to_string();
        let (network_interfaces, next_token) =
            filters::page(found, key, input.next_token, input.max_results)?;
        Ok(Output { network_interfaces, next_token })
    }
}

fn value_of(shape: &InterfaceShape, name: &str) -> Option<Vec<String>> {
    let association = shape.association.as_ref();
    match name {
        "network-interface-id" => one(&shape.network_interface_id),
        "vpc-id" => one(&shape.vpc_id),
        "subnet-id" => one(&shape.subnet_id),
        "availability-zone" => one(&shape.availability_zone),
        "description" => one(&shape.description),
        "group-id" => many(shape.groups.iter().map(|g| &g.group_id)),
        "group-name" => many(shape.groups.iter().map(|g| &g.group_name)),
        "interface-type" => one(shape.interface_type.as_str()),
        "owner-id" => one(&shape.owner_id),
        "private-ip-address" | "addresses.private-ip-address" => one(&shape.private_ip_address),
        "addresses.primary" => one(true),
        "requester-id" => maybe(shape.requester_id.as_ref()),
        "requester-managed" => one(shape.requester_managed),
        "source-dest-check" => one(shape.source_dest_check),
        "status" => one(shape.status),
        "attachment.attachment-id" => maybe(shape.attachment.as_ref().map(|a| &a.attachment_id)),
        "attachment.status" => maybe(shape.attachment.as_ref().map(|a| a.status)),
        // A valid filter that matches nothing, because there are no instances.
        "attachment.instance-id" => Some(Vec::new()),
        "association.public-ip" | "addresses.association.public-ip" => {
            maybe(association.map(|a| &a.public_ip))
        }
        "association.allocation-id" => maybe(association.and_then(|a| a.allocation_id.as_ref())),
        "association.association-id" => maybe(association.and_then(|a| a.association_id.as_ref())),
        "association.ip-owner-id" => maybe(association.map(|a| &a.ip_owner_id)),
        _ => None,
    }
}

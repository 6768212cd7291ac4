//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAddresses.html>

use crate::{
    Error,
    filters::{self, Filter, maybe, one},
    rules,
    shapes::address::{self, AddressShape},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Address, AllocationId};
use std::sync::Arc;

pub(crate) struct DescribeAddresses;

#[derive(Wire)]
pub(crate) struct Input {
    allocation_ids: Vec<AllocationId>,
    public_ips: Vec<String>,
    filters: Vec<Filter>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) addresses: Vec<AddressShape>,
}

impl Operation for DescribeAddresses {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut rows = match (input.allocation_ids.is_empty(), input.public_ips.is_empty()) {
            // No ids mean all rows, but here the request names public addresses.
            (true, false) => Vec::new(),
            _ => rules::named::<Address>(cx, &input.allocation_ids)?,
        };
        for ip in input.public_ips {
            let row: Arc<Address> = address::named(cx, None, Some(ip))?;
            rows.push(row);
        }
        let mut addresses = Vec::new();
        for row in rows {
            let shape = address::address(cx, &row);
            let value_of = |name: &str| match name {
                "allocation-id" => one(&row.id),
                "public-ip" => one(row.public_ip),
                "domain" => one(shape.domain.as_str()),
                "association-id" => maybe(shape.association_id.as_ref()),
                "network-interface-id" => maybe(shape.network_interface_id.as_ref()),
                "network-interface-owner-id" => maybe(shape.network_interface_owner_id.as_ref()),
                "private-ip-address" => maybe(shape.private_ip_address.as_ref()),
                "network-border-group" => one(&shape.network_border_group),
                // A valid filter that matches nothing, because there are no instances.
                "instance-id" => Some(Vec::new()),
                _ => None,
            };
            if filters::passes(&input.filters, &row.tags, value_of)? {
                addresses.push(shape);
            }
        }
        Ok(Output { addresses })
    }
}

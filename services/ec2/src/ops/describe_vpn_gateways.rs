//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpnGateways.html>

use crate::{Error, error::Kind, filters::Filter};
use escale_base::{Wire, wire::Value};
use escale_service::{Cx, Operation};

/// Always returns an empty list: Escale has no VPN, and the operation that creates a gateway is refused. The CDK calls it when it
/// looks up a VPC.
pub(crate) struct DescribeVpnGateways;

#[derive(Wire)]
pub(crate) struct Input {
    vpn_gateway_ids: Vec<String>,
    filters: Vec<Filter>,
}

#[derive(Wire)]
pub(crate) struct Output {
    vpn_gateways: Vec<Value>,
}

impl Operation for DescribeVpnGateways {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(_cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        match input.vpn_gateway_ids.into_iter().next() {
            Some(id) => Err(Error::NotFound(Kind::VpnGateway, id)),
            None => Ok(Output { vpn_gateways: Vec::new() }),
        }
    }
}

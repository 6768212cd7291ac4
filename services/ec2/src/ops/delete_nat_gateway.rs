//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteNatGateway.html>

use crate::{Error, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Address, Interface, NatGateway, NatGatewayId};

pub(crate) struct DeleteNatGateway;

#[derive(Wire)]
pub(crate) struct Input {
    nat_gateway_id: NatGatewayId,
}

#[derive(Wire)]
pub(crate) struct Output {
    nat_gateway_id: NatGatewayId,
}

impl Operation for DeleteNatGateway {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let gateway = rules::find::<NatGateway>(cx, input.nat_gateway_id.as_str())?;
        if gateway.deleted.is_some() {
            return Err(shapes::gateway::no_nat(gateway.id.as_str()));
        }
        if let Some(interface) = &gateway.interface {
            // The Elastic IP address stays allocated.
            if let Some(address) = shapes::interface::elastic(cx.tx, interface) {
                cx.tx.update(address.id.as_str(), |a: &mut Address| a.association = None);
            }
            cx.tx.delete::<Interface>(interface.as_str());
        }
        let now = cx.now;
        // The row stays, because AWS shows a deleted gateway for an hour.
        cx.tx.update(gateway.id.as_str(), |n: &mut NatGateway| n.deleted = Some(now));
        Ok(Output { nat_gateway_id: gateway.id.clone() })
    }
}

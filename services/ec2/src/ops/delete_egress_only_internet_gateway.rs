//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteEgressOnlyInternetGateway.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{EgressOnlyInternetGateway, EgressOnlyInternetGatewayId};

pub(crate) struct DeleteEgressOnlyInternetGateway;

#[derive(Wire)]
pub(crate) struct Input {
    egress_only_internet_gateway_id: EgressOnlyInternetGatewayId,
}

#[derive(Wire)]
pub(crate) struct Output {
    return_code: bool,
}

impl Operation for DeleteEgressOnlyInternetGateway {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let id = input.egress_only_internet_gateway_id;
        let gateway = rules::find::<EgressOnlyInternetGateway>(cx, id.as_str())?;
        // Routes to it stay, as black holes.
        cx.tx.delete::<EgressOnlyInternetGateway>(gateway.id.as_str());
        Ok(Output { return_code: true })
    }
}

//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AttachInternetGateway.html>

use crate::{Error, rules, shapes::gateway::attached_to};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{InternetGateway, InternetGatewayId, Vpc, VpcId};

pub(crate) struct AttachInternetGateway;

#[derive(Wire)]
pub(crate) struct Input {
    internet_gateway_id: InternetGatewayId,
    vpc_id: VpcId,
}

impl Operation for AttachInternetGateway {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let gateway = rules::find::<InternetGateway>(cx, input.internet_gateway_id.as_str())?;
        let vpc = rules::find::<Vpc>(cx, input.vpc_id.as_str())?;
        if let Some(other) = &gateway.vpc {
            return Err(Error::AlreadyAttached(gateway.id.to_string(), other.to_string()));
        }
        if let Some(other) = attached_to(cx.tx, &vpc) {
            return Err(Error::AlreadyAttached(vpc.id.to_string(), other.to_string()));
        }
        cx.tx.update(gateway.id.as_str(), |g: &mut InternetGateway| g.vpc = Some(vpc.id.clone()));
        Ok(())
    }
}

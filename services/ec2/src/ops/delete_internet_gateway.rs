//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteInternetGateway.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{InternetGateway, InternetGatewayId};

pub(crate) struct DeleteInternetGateway;

#[derive(Wire)]
pub(crate) struct Input {
    internet_gateway_id: InternetGatewayId,
}

impl Operation for DeleteInternetGateway {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let gateway = rules::find::<InternetGateway>(cx, input.internet_gateway_id.as_str())?;
        if let Some(vpc) = &gateway.vpc {
            return Err(Error::InUse(format!(
                "The internetGateway '{}' has dependencies and cannot be deleted: it is attached to {vpc}. Detach it first.",
                gateway.id
            )));
        }
        cx.tx.delete::<InternetGateway>(gateway.id.as_str());
        Ok(())
    }
}

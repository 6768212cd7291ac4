//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DetachInternetGateway.html>

use crate::{Error, rules, shapes::interface::public_ip};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Interface, InternetGateway, InternetGatewayId, Vpc, VpcId};

pub(crate) struct DetachInternetGateway;

#[derive(Wire)]
pub(crate) struct Input {
    internet_gateway_id: InternetGatewayId,
    vpc_id: VpcId,
}

impl Operation for DetachInternetGateway {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let gateway = rules::find::<InternetGateway>(cx, input.internet_gateway_id.as_str())?;
        let vpc = rules::find::<Vpc>(cx, input.vpc_id.as_str())?;
        if gateway.vpc.as_ref() != Some(&vpc.id) {
            return Err(Error::GatewayNotAttached(format!(
                "resource {} is not attached to network {}",
                gateway.id, vpc.id
            )));
        }
        let public = cx.tx.scan::<Interface>().filter(|i| i.vpc == vpc.id);
        let public = public.filter_map(|i| Some(format!("{} has {}", i.id, public_ip(cx.tx, &i)?)));
        let public: Vec<String> = public.collect();
        if !public.is_empty() {
            return Err(Error::InUse(format!(
                "Network {} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway: {}",
                vpc.id,
                public.join(", ")
            )));
        }
        cx.tx.update(gateway.id.as_str(), |g: &mut InternetGateway| g.vpc = None);
        Ok(())
    }
}

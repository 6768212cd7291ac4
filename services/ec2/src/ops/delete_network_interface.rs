//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteNetworkInterface.html>

use crate::{Error, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Address, Interface, InterfaceId};

pub(crate) struct DeleteNetworkInterface;

#[derive(Wire)]
pub(crate) struct Input {
    network_interface_id: InterfaceId,
}

impl Operation for DeleteNetworkInterface {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![cx.arn("ec2", format!("network-interface/{}", input.network_interface_id)).to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let interface = rules::find::<Interface>(cx, input.network_interface_id.as_str())?;
        if let (Some(owner), None) = (&interface.requester, rules::service(cx)) {
            let (id, what) = (&interface.id, &interface.description);
            return Err(Error::InterfaceInUse(format!(
                "Network interface '{id}' is currently in use: it belongs to a resource of {owner} ({what})."
            )));
        }
        // The Elastic IP address stays allocated and can be associated again.
        if let Some(address) = shapes::interface::elastic(cx.tx, &interface.id) {
            cx.tx.update(address.id.as_str(), |a: &mut Address| a.association = None);
        }
        cx.tx.delete::<Interface>(interface.id.as_str());
        Ok(())
    }
}

//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyNetworkInterfaceAttribute.html>

use crate::{
    Error, addresses, rules,
    shapes::{Flag, Text},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{GroupId, Interface, InterfaceId, Subnet};

pub(crate) struct ModifyNetworkInterfaceAttribute;

#[derive(Wire)]
pub(crate) struct Input {
    network_interface_id: InterfaceId,
    description: Option<Text>,
    source_dest_check: Option<Flag>,
    groups: Vec<GroupId>,
    associate_public_ip_address: Option<bool>,
}

impl Operation for ModifyNetworkInterfaceAttribute {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![cx.arn("ec2", format!("network-interface/{}", input.network_interface_id)).to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let mut row = rules::find::<Interface>(cx, input.network_interface_id.as_str())?.as_ref().clone();
        rules::may_touch(cx, row.requester.as_deref(), row.id.as_str())?;
        let given = [
            input.description.is_some(),
            input.source_dest_check.is_some(),
            !input.groups.is_empty(),
            input.associate_public_ip_address.is_some(),
        ];
        match given.iter().filter(|a| **a).count() {
            0 => {
                return Err(Error::Missing(
                    "groups, description, sourceDestCheck or associatePublicIpAddress",
                ));
            }
            1 => {}
            _ => {
                let why = "Fields for multiple attribute types specified. Set one attribute per call.";
                return Err(Error::Combination(why.into()));
            }
        }
        if let Some(text) = input.description {
            row.description = text.value.unwrap_or_default();
        }
        if let Some(check) = Flag::requested(&input.source_dest_check) {
            row.source_dest_check = check;
        }
        if !input.groups.is_empty() {
            let subnet = rules::find::<Subnet>(cx, row.subnet.as_str())?;
            row.groups = super::create_network_interface::groups(cx, &subnet, input.groups)?;
        }
        match input.associate_public_ip_address {
            // An interface that has an address keeps it.
            Some(true) if row.auto_public_ip.is_none() => {
                row.auto_public_ip = Some(addresses::public(cx.tx)?)
            }
            Some(false) => row.auto_public_ip = None,
            _ => {}
        }
        cx.tx.put(row);
        Ok(())
    }
}

//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySubnetAttribute.html>

use crate::{Error, ipv6, rules, shapes::Flag};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Subnet, SubnetId, SubnetIpv6Block};

pub(crate) struct ModifySubnetAttribute;

#[derive(Wire)]
pub(crate) struct Input {
    subnet_id: SubnetId,
    map_public_ip_on_launch: Option<Flag>,
    assign_ipv6_address_on_creation: Option<Flag>,
}

impl Operation for ModifySubnetAttribute {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let mut subnet = rules::find::<Subnet>(cx, input.subnet_id.as_str())?.as_ref().clone();
        let public = Flag::requested(&input.map_public_ip_on_launch);
        let ipv6 = Flag::requested(&input.assign_ipv6_address_on_creation);
        match (public, ipv6) {
            (Some(value), None) => {
                subnet.map_public_ip = value;
                cx.tx.put(subnet);
                Ok(())
            }
            (None, Some(value)) => assign_ipv6(cx, &subnet, value),
            (None, None) => Err(Error::Missing("mapPublicIpOnLaunch or assignIpv6AddressOnCreation")),
            (Some(_), Some(_)) => {
                let why = "Fields for multiple attribute types specified. Set one attribute per call.";
                Err(Error::Combination(why.into()))
            }
        }
    }
}

fn assign_ipv6(cx: &mut Cx<'_>, subnet: &Subnet, value: bool) -> Result<(), Error> {
    match ipv6::of_subnet(cx.tx, &subnet.id) {
        Some(block) => cx.tx.put(SubnetIpv6Block { assign_on_creation: value, ..block.as_ref().clone() }),
        None if value => {
            let why = format!("{} has no IPv6 block. Call AssociateSubnetCidrBlock first.", subnet.id);
            return Err(Error::invalid("assignIpv6AddressOnCreation", value, why));
        }
        // The value of a subnet without a block.
        None => {}
    }
    Ok(())
}

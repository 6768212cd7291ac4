//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySubnetAttribute.html>

use crate::{Error, rules, shapes::Flag};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Subnet, SubnetId};

pub(crate) struct ModifySubnetAttribute;

#[derive(Wire)]
pub(crate) struct Input {
    subnet_id: SubnetId,
    map_public_ip_on_launch: Option<Flag>,
}

impl Operation for ModifySubnetAttribute {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let mut subnet = rules::find::<Subnet>(cx, input.subnet_id.as_str())?.as_ref().clone();
        let requested = Flag::requested(&input.map_public_ip_on_launch);
        subnet.map_public_ip = requested.ok_or(Error::Missing("mapPublicIpOnLaunch"))?;
        cx.tx.put(subnet);
        Ok(())
    }
}

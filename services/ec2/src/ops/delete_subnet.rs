//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSubnet.html>

use crate::{Error, default_vpc, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{
    DefaultSubnet, Interface, NetworkAclAssociation, RouteTable, Subnet, SubnetId, SubnetIpv6Block,
};

pub(crate) struct DeleteSubnet;

#[derive(Wire)]
pub(crate) struct Input {
    subnet_id: SubnetId,
}

impl Operation for DeleteSubnet {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let subnet = rules::find::<Subnet>(cx, input.subnet_id.as_str())?;
        let used = cx.tx.scan::<Interface>().filter(|i| i.subnet == subnet.id);
        let used: Vec<String> = used.map(|i| format!("{} ({})", i.id, i.description)).collect();
        if !used.is_empty() {
            return Err(Error::InUse(format!(
                "The subnet '{}' has dependencies and cannot be deleted: {}",
                subnet.id,
                used.join(", ")
            )));
        }
        if let Some(table) = &subnet.route_table {
            cx.tx.update(table.as_str(), |t: &mut RouteTable| {
                t.associations.retain(|a| a.subnet.as_ref() != Some(&subnet.id));
            });
        }
        // Without this row CreateDefaultSubnet may create another default subnet in the zone.
        if default_vpc::is_default_subnet(cx.tx, &subnet) {
            cx.tx.delete::<DefaultSubnet>(&subnet.zone);
        }
        cx.tx.delete::<NetworkAclAssociation>(subnet.id.as_str());
        cx.tx.delete::<SubnetIpv6Block>(subnet.id.as_str());
        cx.tx.delete::<Subnet>(subnet.id.as_str());
        Ok(())
    }
}

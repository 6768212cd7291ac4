//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteNetworkAcl.html>

use crate::{Error, acls, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{NetworkAcl, NetworkAclId};

pub(crate) struct DeleteNetworkAcl;

#[derive(Wire)]
pub(crate) struct Input {
    network_acl_id: NetworkAclId,
}

impl Operation for DeleteNetworkAcl {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let acl = rules::find::<NetworkAcl>(cx, input.network_acl_id.as_str())?;
        if acl.default {
            let why = "The default network ACL of a VPC is deleted with the VPC.";
            return Err(Error::invalid("networkAclId", &acl.id, why));
        }
        let used: Vec<String> = acls::associations(cx.tx, &acl).map(|a| a.subnet.to_string()).collect();
        if !used.is_empty() {
            return Err(Error::InUse(format!(
                "The networkAcl '{}' has dependencies and cannot be deleted: {}",
                acl.id,
                used.join(", ")
            )));
        }
        cx.tx.delete::<NetworkAcl>(acl.id.as_str());
        Ok(())
    }
}

//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteNetworkAclEntry.html>

use crate::{Error, acls, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{NetworkAcl, NetworkAclId};

pub(crate) struct DeleteNetworkAclEntry;

#[derive(Wire)]
pub(crate) struct Input {
    network_acl_id: NetworkAclId,
    rule_number: i32,
    egress: bool,
}

impl Operation for DeleteNetworkAclEntry {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let acl = rules::find::<NetworkAcl>(cx, input.network_acl_id.as_str())?;
        let at = acls::position(&acl, input.rule_number, input.egress)?;
        cx.tx.update(acl.id.as_str(), |a: &mut NetworkAcl| drop(a.entries.remove(at)));
        Ok(())
    }
}

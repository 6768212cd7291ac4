//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceNetworkAclEntry.html>

use super::create_network_acl_entry::{self, requested};
use crate::{Error, acls};
use escale_service::{Cx, Operation};
use escale_tables::ec2::NetworkAcl;

pub(crate) struct ReplaceNetworkAclEntry;

impl Operation for ReplaceNetworkAclEntry {
    type Input = create_network_acl_entry::Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Self::Input) -> Result<(), Error> {
        let (acl, entry) = requested(cx, input)?;
        let at = acls::position(&acl, entry.number.into(), entry.egress)?;
        cx.tx.update(acl.id.as_str(), |a: &mut NetworkAcl| a.entries[at] = entry);
        Ok(())
    }
}

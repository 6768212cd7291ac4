//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkAclEntry.html>

use crate::{
    Error, acls,
    choices::RuleAction,
    error::Limit,
    rules,
    shapes::network_acl::{IcmpTypeCode, PortRange},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{AclEntry, NetworkAcl, NetworkAclId};
use std::sync::Arc;

pub(crate) struct CreateNetworkAclEntry;

#[derive(Wire)]
pub(crate) struct Input {
    network_acl_id: NetworkAclId,
    rule_number: i32,
    egress: bool,
    protocol: String,
    rule_action: RuleAction,
    cidr_block: Option<String>,
    ipv6_cidr_block: Option<String>,
    icmp_type_code: Option<IcmpTypeCode>,
    port_range: Option<PortRange>,
}

impl Operation for CreateNetworkAclEntry {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let (acl, entry) = requested(cx, input)?;
        let same_way = || acl.entries.iter().filter(|e| e.egress == entry.egress);
        if same_way().any(|e| e.number == entry.number) {
            return Err(Error::DuplicateEntry(entry.number));
        }
        // The last entry counts, too.
        if same_way().count() + 1 >= Limit::EntriesPerAcl.max() {
            let why =
                format!("The maximum number of entries of {} in this direction has been reached.", acl.id);
            return Err(Error::TooMany(Limit::EntriesPerAcl, why));
        }
        cx.tx.update(acl.id.as_str(), |a: &mut NetworkAcl| {
            a.entries.push(entry);
            a.entries.sort_by_key(|e| e.number);
        });
        Ok(())
    }
}

/// Validates a request of CreateNetworkAclEntry or ReplaceNetworkAclEntry; returns its ACL and its entry.
pub(super) fn requested(cx: &Cx<'_>, input: Input) -> Result<(Arc<NetworkAcl>, AclEntry), Error> {
    let acl = rules::find::<NetworkAcl>(cx, input.network_acl_id.as_str())?;
    let entry = acls::entry(acls::Parameters {
        rule_number: input.rule_number,
        egress: input.egress,
        protocol: input.protocol,
        rule_action: input.rule_action,
        cidr_block: input.cidr_block,
        ipv6_cidr_block: input.ipv6_cidr_block,
        icmp_type_code: input.icmp_type_code,
        port_range: input.port_range,
    })?;
    Ok((acl, entry))
}

//! Network ACLs.

use crate::{acls, choices::RuleAction};
use escale_base::{Tag, Wire};
use escale_service::Cx;
use escale_tables::ec2::{AclEntry, NetworkAcl, NetworkAclAssociation, NetworkAclId, VpcId};
use ipnet::IpNet;

#[derive(Debug, Wire)]
pub(crate) struct AclShape {
    pub network_acl_id: NetworkAclId,
    pub vpc_id: VpcId,
    pub is_default: bool,
    pub owner_id: String,
    pub entries: Vec<EntryShape>,
    pub associations: Vec<AssociationShape>,
    pub tags: Vec<Tag>,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct EntryShape {
    pub cidr_block: Option<String>,
    pub ipv6_cidr_block: Option<String>,
    pub egress: bool,
    pub icmp_type_code: Option<IcmpTypeCode>,
    pub port_range: Option<PortRange>,
    pub protocol: String,
    pub rule_action: RuleAction,
    pub rule_number: i32,
}

#[derive(Clone, Copy, Debug, Wire)]
pub(crate) struct IcmpTypeCode {
    #[wire("Type")]
    pub kind: Option<i32>,
    pub code: Option<i32>,
}

#[derive(Clone, Copy, Debug, Wire)]
pub(crate) struct PortRange {
    pub from: Option<i32>,
    pub to: Option<i32>,
}

#[derive(Debug, Wire)]
pub(crate) struct AssociationShape {
    pub network_acl_association_id: String,
    pub network_acl_id: NetworkAclId,
    pub subnet_id: String,
}

pub(crate) fn acl(cx: &Cx<'_>, row: &NetworkAcl) -> AclShape {
    let association = |a: NetworkAclAssociation| AssociationShape {
        network_acl_association_id: a.id.to_string(),
        network_acl_id: a.acl,
        subnet_id: a.subnet.to_string(),
    };
    let way = |egress| {
        let own = row.entries.iter().filter(move |e| e.egress == egress).map(entry);
        own.chain([last(egress)])
    };
    AclShape {
        network_acl_id: row.id.clone(),
        vpc_id: row.vpc.clone(),
        is_default: row.default,
        owner_id: cx.config.account.clone(),
        entries: way(true).chain(way(false)).collect(),
        associations: acls::associations(cx.tx, row).map(association).collect(),
        tags: row.tags.clone(),
    }
}

fn entry(row: &AclEntry) -> EntryShape {
    let (cidr_block, ipv6_cidr_block) = match row.cidr {
        IpNet::V4(cidr) => (Some(cidr.to_string()), None),
        IpNet::V6(cidr) => (None, Some(cidr.to_string())),
    };
    EntryShape {
        cidr_block,
        ipv6_cidr_block,
        egress: row.egress,
        icmp_type_code: row
            .icmp
            .map(|(kind, code)| IcmpTypeCode { kind: Some(kind.into()), code: Some(code.into()) }),
        port_range: row.ports.map(|(from, to)| PortRange { from: Some(from.into()), to: Some(to.into()) }),
        protocol: row.protocol.to_string(),
        rule_action: if row.allow { RuleAction::Allow } else { RuleAction::Deny },
        rule_number: row.number.into(),
    }
}

/// The last entry of every ACL. AWS returns it with its number, which requests cannot use.
fn last(egress: bool) -> EntryShape {
    EntryShape {
        cidr_block: Some("0.0.0.0/0".into()),
        ipv6_cidr_block: None,
        egress,
        icmp_type_code: None,
        port_range: None,
        protocol: "-1".into(),
        rule_action: RuleAction::Deny,
        rule_number: acls::LAST.into(),
    }
}

//! VPCs and their default NACL.

use crate::{
    choices::{CidrBlockState, RuleAction, Tenancy},
    status::VpcState,
};
use escale_base::{Tag, Wire};
use escale_service::{Config, Cx};
use escale_store::Image;
use escale_tables::ec2::{DefaultVpc, Subnet, Vpc, VpcId};

#[derive(Debug, Wire)]
pub(crate) struct VpcShape {
    pub vpc_id: VpcId,
    pub cidr_block: String,
    pub cidr_block_association_set: Vec<CidrAssociation>,
    pub state: VpcState,
    pub owner_id: String,
    pub is_default: bool,
    pub instance_tenancy: Tenancy,
    pub dhcp_options_id: &'static str,
    pub tags: Vec<Tag>,
}

#[derive(Debug, Wire)]
pub(crate) struct CidrAssociation {
    pub association_id: String,
    pub cidr_block: String,
    pub cidr_block_state: CidrState,
}

#[derive(Debug, Wire)]
pub(crate) struct CidrState {
    pub state: CidrBlockState,
}

/// The only set of DHCP options. It names the VPC's own resolver.
pub(crate) const DHCP_OPTIONS: &str = "dopt-default";

/// A VPC in the state that `crate::status` derives.
pub(crate) fn vpc(cx: &Cx<'_>, row: &Vpc, state: VpcState) -> VpcShape {
    VpcShape {
        vpc_id: row.id.clone(),
        cidr_block: row.cidr.to_string(),
        cidr_block_association_set: vec![CidrAssociation {
            association_id: cidr_association_id(row),
            cidr_block: row.cidr.to_string(),
            cidr_block_state: CidrState { state: CidrBlockState::Associated },
        }],
        state,
        owner_id: cx.config.account.clone(),
        is_default: DefaultVpc::of(cx.tx).as_ref() == Some(&row.id),
        instance_tenancy: Tenancy::Default,
        dhcp_options_id: DHCP_OPTIONS,
        tags: row.tags.clone(),
    }
}

pub(crate) fn cidr_association_id(row: &Vpc) -> String {
    row.id.as_str().replacen("vpc-", "vpc-cidr-assoc-", 1)
}

#[derive(Debug, Wire)]
pub(crate) struct AclShape {
    pub network_acl_id: String,
    pub vpc_id: VpcId,
    pub is_default: bool,
    pub owner_id: String,
    pub entries: Vec<AclEntry>,
    pub associations: Vec<AclAssociation>,
    pub tags: Vec<Tag>,
}

#[derive(Debug, Wire)]
pub(crate) struct AclEntry {
    pub cidr_block: &'static str,
    pub egress: bool,
    pub protocol: &'static str,
    pub rule_action: RuleAction,
    pub rule_number: i32,
}

#[derive(Debug, Wire)]
pub(crate) struct AclAssociation {
    pub network_acl_association_id: String,
    pub network_acl_id: String,
    pub subnet_id: String,
}

/// The id of a VPC's only NACL. It is derived from the VPC's id, so it needs no row.
pub(crate) fn acl_id(vpc: &VpcId) -> String {
    vpc.as_str().replacen("vpc-", "acl-", 1)
}

/// The default NACL, which allows all traffic. A VPC has no other.
pub(crate) fn acl(image: &Image, row: &Vpc, config: &Config) -> AclShape {
    let entry = |egress, rule_number, rule_action| AclEntry {
        cidr_block: "0.0.0.0/0",
        egress,
        protocol: "-1",
        rule_action,
        rule_number,
    };
    let id = acl_id(&row.id);
    let associations = image.scan::<Subnet>().filter(|s| s.vpc == row.id).map(|s| AclAssociation {
        network_acl_association_id: s.id.as_str().replacen("subnet-", "aclassoc-", 1),
        network_acl_id: id.clone(),
        subnet_id: s.id.to_string(),
    });
    AclShape {
        network_acl_id: id.clone(),
        vpc_id: row.id.clone(),
        is_default: true,
        owner_id: config.account.clone(),
        entries: vec![
            entry(true, 100, RuleAction::Allow),
            entry(true, 32767, RuleAction::Deny),
            entry(false, 100, RuleAction::Allow),
            entry(false, 32767, RuleAction::Deny),
        ],
        associations: associations.collect(),
        tags: Vec::new(),
    }
}

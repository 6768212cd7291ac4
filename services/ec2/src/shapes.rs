//! Shapes that several operations give.

use escale_base::{Tag, Wire};
use escale_service::Config;
use escale_tables::ec2::{Vpc, VpcId};

/// Tags given at creation: `TagSpecifications=[{ResourceType, Tags}]`.
#[derive(Clone, Debug, Wire)]
pub(crate) struct TagSpecification {
    pub resource_type: Option<String>,
    pub tags: Vec<Tag>,
}

/// The tags for a resource of this type.
pub(crate) fn tags_for(specifications: &[TagSpecification], resource_type: &str) -> Vec<Tag> {
    let own = specifications.iter().filter(|s| s.resource_type.as_deref() == Some(resource_type));
    own.flat_map(|s| s.tags.clone()).collect()
}

#[derive(Debug, Wire)]
pub(crate) struct VpcShape {
    pub vpc_id: VpcId,
    pub cidr_block: String,
    pub cidr_block_association_set: Vec<CidrAssociation>,
    pub state: &'static str,
    pub owner_id: String,
    pub is_default: bool,
    pub instance_tenancy: &'static str,
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
    pub state: &'static str,
}

/// `state` is derived by `crate::status`.
pub(crate) fn vpc(row: &Vpc, state: &'static str, config: &Config) -> VpcShape {
    VpcShape {
        vpc_id: row.id.clone(),
        cidr_block: row.cidr.to_string(),
        cidr_block_association_set: vec![CidrAssociation {
            association_id: row.id.as_str().replacen("vpc-", "vpc-cidr-assoc-", 1),
            cidr_block: row.cidr.to_string(),
            cidr_block_state: CidrState { state: "associated" },
        }],
        state,
        owner_id: config.account.clone(),
        is_default: false,
        instance_tenancy: "default",
        dhcp_options_id: "default",
        tags: row.tags.clone(),
    }
}

//! Subnet groups.

use crate::{
    ec2::{SubnetId, VpcId},
    row,
};
use escale_base::Tag;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubnetGroup {
    pub name: String,
    pub description: String,
    pub vpc: VpcId,
    /// Subnets of one VPC, in at least two zones.
    pub subnets: Vec<SubnetId>,
    pub tags: Vec<Tag>,
}
row!(SubnetGroup, "rds_subnet_group", |r| r.name.clone());

impl SubnetGroup {
    /// The name of the group of the account's default VPC.
    pub const DEFAULT: &'static str = "default";
}

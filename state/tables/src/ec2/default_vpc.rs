//! The account's default VPC and default subnets.

use super::{SubnetId, VpcId, ZoneName};
use crate::row;
use escale_store::Image;
use serde::{Deserialize, Serialize};

/// The account's default VPC. Without a row, the next start creates one. `None`: it was deleted, and only CreateDefaultVpc creates
/// another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DefaultVpc {
    pub vpc: Option<VpcId>,
}
row!(DefaultVpc, "ec2_default_vpc", |_r| DefaultVpc::KEY.to_owned());

impl DefaultVpc {
    /// The key of the only row.
    pub const KEY: &'static str = "default";

    /// The default VPC, if the account has one.
    pub fn of(image: &Image) -> Option<VpcId> {
        image.get::<DefaultVpc>(DefaultVpc::KEY)?.vpc.clone()
    }
}

/// The default subnet of an availability zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DefaultSubnet {
    pub zone: ZoneName,
    pub subnet: SubnetId,
}
row!(DefaultSubnet, "ec2_default_subnet", |r| r.zone.to_string());

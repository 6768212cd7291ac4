//! Which VPC and which subnets are the account's default ones.

use super::{SubnetId, VpcId, ZoneName};
use crate::row;
use escale_store::Image;
use serde::{Deserialize, Serialize};

/// The account's default VPC. No row: the installation has not been given one yet. `None`: it was deleted, and is made again
/// by CreateDefaultVpc only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DefaultVpc {
    pub vpc: Option<VpcId>,
}
row!(DefaultVpc, "ec2_default_vpc", |_r| DefaultVpc::KEY.to_owned());

impl DefaultVpc {
    /// There is one row.
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

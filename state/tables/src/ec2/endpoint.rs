//! VPC endpoints of type Gateway.

use super::{RouteTableId, VpcId};
use crate::row;
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};

escale_base::id! { EndpointId = "vpce-"; }

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    pub id: EndpointId,
    pub vpc: VpcId,
    /// `com.amazonaws.<region>.s3`
    pub service_name: String,
    pub route_tables: Vec<RouteTableId>,
    /// An IAM policy document; `None` allows all.
    pub policy: Option<String>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(Endpoint, "ec2_endpoint", |r| r.id.to_string());

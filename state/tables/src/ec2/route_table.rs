//! Route tables.

use super::{
    EgressOnlyInternetGatewayId, EndpointId, InterfaceId, InternetGatewayId, NatGatewayId, SubnetId, VpcId,
    VpcPeeringId,
};
use crate::row;
use escale_base::{Tag, Timestamp};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

escale_base::id! { RouteTableId = "rtb-"; RouteTableAssociationId = "rtbassoc-"; }

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteTable {
    pub id: RouteTableId,
    pub vpc: VpcId,
    pub main: bool,
    /// Without the local route, which every table has.
    pub routes: Vec<Route>,
    pub associations: Vec<RouteTableAssociation>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(RouteTable, "ec2_route_table", |r| r.id.to_string());

/// An explicit association with a subnet, or (`subnet: None`) the main one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouteTableAssociation {
    pub id: RouteTableAssociationId,
    pub subnet: Option<SubnetId>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// No packet has an IPv6 destination.
    pub destination: IpNet,
    pub target: Target,
}

/// The target of a route. As on AWS, a route whose target was deleted stays and becomes a black hole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Target {
    InternetGateway(InternetGatewayId),
    /// Of IPv6 routes only.
    EgressOnlyInternetGateway(EgressOnlyInternetGatewayId),
    NatGateway(NatGatewayId),
    Interface(InterfaceId),
    Endpoint(EndpointId),
    VpcPeering(VpcPeeringId),
}

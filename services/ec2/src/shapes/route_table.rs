//! Route tables.

use crate::{
    Error,
    choices::{AssociationStateCode, RouteOrigin},
    ipv6, prefix_lists, status,
};
use escale_base::{Tag, Wire};
use escale_service::Cx;
use escale_tables::ec2::{Endpoint, RouteTable, RouteTableAssociation, RouteTableId, Target, VpcId};
use ipnet::IpNet;
use std::sync::Arc;

#[derive(Debug, Wire)]
pub(crate) struct RouteTableShape {
    pub route_table_id: RouteTableId,
    pub vpc_id: VpcId,
    pub owner_id: String,
    pub routes: Vec<RouteShape>,
    pub associations: Vec<AssociationShape>,
    pub tags: Vec<Tag>,
}

#[derive(Debug, Default, Wire)]
pub(crate) struct RouteShape {
    pub destination_cidr_block: Option<String>,
    pub destination_ipv6_cidr_block: Option<String>,
    pub destination_prefix_list_id: Option<String>,
    pub egress_only_internet_gateway_id: Option<String>,
    pub gateway_id: Option<String>,
    pub nat_gateway_id: Option<String>,
    pub network_interface_id: Option<String>,
    pub vpc_peering_connection_id: Option<String>,
    pub origin: Option<RouteOrigin>,
    pub state: Option<status::RouteState>,
}

#[derive(Debug, Wire)]
pub(crate) struct AssociationShape {
    pub route_table_association_id: String,
    pub route_table_id: RouteTableId,
    pub subnet_id: Option<String>,
    pub main: bool,
    pub association_state: AssociationState,
}

#[derive(Debug, Wire)]
pub(crate) struct AssociationState {
    pub state: AssociationStateCode,
}

/// The state of every association: it takes effect in the transaction that writes it.
pub(crate) fn associated() -> AssociationState {
    AssociationState { state: AssociationStateCode::Associated }
}

pub(crate) fn route_table(cx: &Cx<'_>, row: &RouteTable) -> RouteTableShape {
    let associations = row.associations.iter().map(|a| AssociationShape {
        route_table_association_id: a.id.to_string(),
        route_table_id: row.id.clone(),
        subnet_id: a.subnet.as_ref().map(ToString::to_string),
        main: a.subnet.is_none(),
        association_state: associated(),
    });
    RouteTableShape {
        route_table_id: row.id.clone(),
        vpc_id: row.vpc.clone(),
        owner_id: cx.config.account.clone(),
        routes: routes(cx, row),
        associations: associations.collect(),
        tags: row.tags.clone(),
    }
}

/// The local routes, then the created routes, then the routes of endpoints.
fn routes(cx: &Cx<'_>, row: &RouteTable) -> Vec<RouteShape> {
    let vpc = cx.tx.get::<escale_tables::ec2::Vpc>(row.vpc.as_str()).map(|vpc| IpNet::V4(vpc.cidr));
    let ipv6_block = ipv6::of_vpc(cx.tx, &row.vpc).map(|block| IpNet::V6(block.cidr));
    let local = vpc.into_iter().chain(ipv6_block).map(|block| RouteShape {
        gateway_id: Some("local".into()),
        origin: Some(RouteOrigin::CreateRouteTable),
        state: Some(status::RouteState::Active),
        ..to(block)
    });
    let created = row.routes.iter().map(|route| {
        let mut shape = RouteShape {
            origin: Some(RouteOrigin::CreateRoute),
            state: Some(status::route(cx.tx, row, &route.target)),
            ..to(route.destination)
        };
        match &route.target {
            Target::InternetGateway(id) => shape.gateway_id = Some(id.to_string()),
            Target::Endpoint(id) => shape.gateway_id = Some(id.to_string()),
            Target::EgressOnlyInternetGateway(id) => {
                shape.egress_only_internet_gateway_id = Some(id.to_string());
            }
            Target::NatGateway(id) => shape.nat_gateway_id = Some(id.to_string()),
            Target::Interface(id) => shape.network_interface_id = Some(id.to_string()),
            Target::VpcPeering(id) => shape.vpc_peering_connection_id = Some(id.to_string()),
        }
        shape
    });
    let endpoints = cx.tx.scan::<Endpoint>().filter(|e| e.route_tables.contains(&row.id));
    let endpoints = endpoints.map(|e| RouteShape {
        destination_prefix_list_id: prefix_lists::of_service(cx.config, &e.service_name)
            .map(|list| list.id.into()),
        gateway_id: Some(e.id.to_string()),
        origin: Some(RouteOrigin::CreateRoute),
        state: Some(status::RouteState::Active),
        ..RouteShape::default()
    });
    local.chain(created).chain(endpoints).collect()
}

/// A route to this destination, without a target.
fn to(destination: IpNet) -> RouteShape {
    let text = Some(destination.to_string());
    match destination {
        IpNet::V4(_) => RouteShape { destination_cidr_block: text, ..RouteShape::default() },
        IpNet::V6(_) => RouteShape { destination_ipv6_cidr_block: text, ..RouteShape::default() },
    }
}

/// The association with this id, and its route table.
pub(crate) fn of_association(
    cx: &Cx<'_>,
    id: &str,
) -> Result<(Arc<RouteTable>, RouteTableAssociation), Error> {
    let found = cx.tx.scan::<RouteTable>().find_map(|t| {
        let association = t.associations.iter().find(|a| a.id == id)?.clone();
        Some((t, association))
    });
    found.ok_or_else(|| Error::NotFound(crate::error::Kind::RouteTableAssociation, id.to_owned()))
}

//! Route tables.

use crate::{
    Error,
    choices::{AssociationStateCode, RouteOrigin},
    prefix_lists, status,
};
use escale_base::{Tag, Wire};
use escale_service::Cx;
use escale_tables::ec2::{Endpoint, RouteTable, RouteTableAssociation, RouteTableId, Target, VpcId};
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
    pub destination_prefix_list_id: Option<String>,
    pub gateway_id: Option<String>,
    pub nat_gateway_id: Option<String>,
    pub network_interface_id: Option<String>,
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

/// The local route, then the created routes, then the routes of endpoints.
fn routes(cx: &Cx<'_>, row: &RouteTable) -> Vec<RouteShape> {
    let local = cx.tx.get::<escale_tables::ec2::Vpc>(row.vpc.as_str()).map(|vpc| RouteShape {
        destination_cidr_block: Some(vpc.cidr.to_string()),
        gateway_id: Some("local".into()),
        origin: Some(RouteOrigin::CreateRouteTable),
        state: Some(status::RouteState::Active),
        ..RouteShape::default()
    });
    let created = row.routes.iter().map(|route| {
        let mut shape = RouteShape {
            destination_cidr_block: Some(route.destination.to_string()),
            origin: Some(RouteOrigin::CreateRoute),
            state: Some(status::route(cx.tx, row, &route.target)),
            ..RouteShape::default()
        };
        match &route.target {
            Target::InternetGateway(id) => shape.gateway_id = Some(id.to_string()),
            Target::Endpoint(id) => shape.gateway_id = Some(id.to_string()),
            Target::NatGateway(id) => shape.nat_gateway_id = Some(id.to_string()),
            Target::Interface(id) => shape.network_interface_id = Some(id.to_string()),
        }
        shape
    });
    let endpoints = cx.tx.scan::<Endpoint>().filter(|e| e.route_tables.contains(&row.id));
    let endpoints = endpoints.map(|e| RouteShape {
        destination_prefix_list_id: Some(prefix_lists::s3(cx.config).id.into()),
        gateway_id: Some(e.id.to_string()),
        origin: Some(RouteOrigin::CreateRoute),
        state: Some(status::RouteState::Active),
        ..RouteShape::default()
    });
    local.into_iter().chain(created).chain(endpoints).collect()
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

//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateRouteTable.html>

use crate::{
    Error, rules,
    shapes::route_table::{AssociationState, associated},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{
    RouteTable, RouteTableAssociation, RouteTableAssociationId, RouteTableId, Subnet, SubnetId,
};

pub(crate) struct AssociateRouteTable;

#[derive(Wire)]
pub(crate) struct Input {
    route_table_id: RouteTableId,
    subnet_id: Option<SubnetId>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) association_id: String,
    pub(crate) association_state: AssociationState,
}

impl Operation for AssociateRouteTable {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let table = rules::find::<RouteTable>(cx, input.route_table_id.as_str())?;
        let subnet = rules::find::<Subnet>(cx, input.subnet_id.ok_or(Error::Missing("subnetId"))?.as_str())?;
        let association_id = associate(cx, &table, &subnet)?;
        Ok(Output { association_id, association_state: associated() })
    }
}

/// Writes both ends of an association. A subnet has at most one route table.
pub(super) fn associate(cx: &mut Cx<'_>, table: &RouteTable, subnet: &Subnet) -> Result<String, Error> {
    if table.vpc != subnet.vpc {
        return Err(Error::WrongVpc(format!(
            "route table {} and subnet {} belong to different networks",
            table.id, subnet.id
        )));
    }
    if let Some(other) = &subnet.route_table {
        return Err(Error::AlreadyAttached(subnet.id.to_string(), other.to_string()));
    }
    let association =
        RouteTableAssociation { id: RouteTableAssociationId::random(), subnet: Some(subnet.id.clone()) };
    let id = association.id.clone();
    cx.tx.update(table.id.as_str(), |t: &mut RouteTable| t.associations.push(association));
    cx.tx.update(subnet.id.as_str(), |s: &mut Subnet| s.route_table = Some(table.id.clone()));
    Ok(id.to_string())
}

/// Removes both ends of an association.
pub(super) fn disassociate(cx: &mut Cx<'_>, table: &RouteTable, association: &RouteTableAssociation) {
    cx.tx.update(table.id.as_str(), |t: &mut RouteTable| t.associations.retain(|a| a.id != association.id));
    if let Some(subnet) = &association.subnet {
        cx.tx.update(subnet.as_str(), |s: &mut Subnet| s.route_table = None);
    }
}

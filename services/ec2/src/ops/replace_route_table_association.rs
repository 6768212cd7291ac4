//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceRouteTableAssociation.html>

use super::associate_route_table::{associate, disassociate};
use crate::{
    Error, rules,
    shapes::route_table::{AssociationState, associated, of_association},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{RouteTable, RouteTableAssociation, RouteTableAssociationId, RouteTableId, Subnet};

pub(crate) struct ReplaceRouteTableAssociation;

#[derive(Wire)]
pub(crate) struct Input {
    association_id: String,
    route_table_id: RouteTableId,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) new_association_id: String,
    association_state: AssociationState,
}

impl Operation for ReplaceRouteTableAssociation {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let (old, association) = of_association(cx, &input.association_id)?;
        let new = rules::find::<RouteTable>(cx, input.route_table_id.as_str())?;
        if old.vpc != new.vpc {
            return Err(Error::WrongVpc(format!("{} and {} belong to different networks", old.id, new.id)));
        }
        // First, because `associate` refuses a subnet that still has a table.
        disassociate(cx, &old, &association);
        let new_association_id = match &association.subnet {
            Some(subnet) => {
                let subnet = rules::find::<Subnet>(cx, subnet.as_str())?;
                associate(cx, &new, &subnet)?
            }
            // An association without a subnet is the one of the main route table.
            None => make_main(cx, &old, &new),
        };
        Ok(Output { new_association_id, association_state: associated() })
    }
}

fn make_main(cx: &mut Cx<'_>, old: &RouteTable, new: &RouteTable) -> String {
    let id = RouteTableAssociationId::random();
    cx.tx.update(old.id.as_str(), |t: &mut RouteTable| t.main = false);
    cx.tx.update(new.id.as_str(), |t: &mut RouteTable| {
        t.main = true;
        t.associations.push(RouteTableAssociation { id: id.clone(), subnet: None });
    });
    id.to_string()
}

//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisassociateRouteTable.html>

use super::associate_route_table::disassociate;
use crate::{Error, shapes::route_table::of_association};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct DisassociateRouteTable;

#[derive(Wire)]
pub(crate) struct Input {
    association_id: String,
}

impl Operation for DisassociateRouteTable {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let (table, association) = of_association(cx, &input.association_id)?;
        if association.subnet.is_none() {
            let why =
                "The main route table cannot be disassociated. Call ReplaceRouteTableAssociation instead.";
            return Err(Error::invalid("associationId", association.id, why));
        }
        disassociate(cx, &table, &association);
        Ok(())
    }
}

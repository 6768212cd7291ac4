//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisassociateAddress.html>

use crate::{Error, rules, shapes::address};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Address, AssociationId, Interface};

pub(crate) struct DisassociateAddress;

#[derive(Wire)]
pub(crate) struct Input {
    association_id: Option<AssociationId>,
    public_ip: Option<String>,
}

impl Operation for DisassociateAddress {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let address = match input.association_id {
            Some(id) => address::of_association(cx, id.as_str())?,
            None => address::named(cx, None, input.public_ip)?,
        };
        let Some((_, interface)) = &address.association else {
            return Err(Error::NotFound(
                crate::error::Kind::AddressAssociation,
                address.public_ip.to_string(),
            ));
        };
        // The address belongs to the user, but the interface may belong to a NAT gateway or another service.
        if let Some(interface) = cx.tx.get::<Interface>(interface.as_str()) {
            rules::may_touch(cx, interface.requester.as_deref(), interface.id.as_str())?;
        }
        cx.tx.update(address.id.as_str(), |a: &mut Address| a.association = None);
        Ok(())
    }
}

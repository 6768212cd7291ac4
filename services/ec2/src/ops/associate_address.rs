//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateAddress.html>

use crate::{
    Error, rules,
    shapes::{address, interface},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Address, AllocationId, AssociationId, Interface, InterfaceId};

pub(crate) struct AssociateAddress;

#[derive(Wire)]
pub(crate) struct Input {
    allocation_id: Option<AllocationId>,
    public_ip: Option<String>,
    network_interface_id: Option<InterfaceId>,
    private_ip_address: Option<String>,
    allow_reassociation: Option<bool>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) association_id: AssociationId,
}

impl Operation for AssociateAddress {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let id = input.network_interface_id.ok_or(Error::Missing("networkInterfaceId"))?;
        let to = rules::find::<Interface>(cx, id.as_str())?;
        let address = address::named(cx, input.allocation_id, input.public_ip)?;
        rules::may_touch(cx, address.requester.as_deref(), address.id.as_str())?;
        rules::may_touch(cx, to.requester.as_deref(), to.id.as_str())?;
        if let Some(private) = input.private_ip_address.filter(|ip| *ip != to.private_ip.to_string()) {
            let why = format!("The private address of {id} is {}.", to.private_ip);
            return Err(Error::invalid("privateIpAddress", private, why));
        }
        let association_id = associate(cx, &address, &to, input.allow_reassociation)?;
        Ok(Output { association_id })
    }
}

/// Writes an association. As on AWS, an address of another interface moves unless `allow_reassociation` is false, and an interface
/// that has an Elastic IP address keeps it unless `allow_reassociation` is true.
pub(super) fn associate(
    cx: &mut Cx<'_>,
    address: &Address,
    to: &Interface,
    allow_reassociation: Option<bool>,
) -> Result<AssociationId, Error> {
    if let Some((association, at)) = &address.association {
        // AWS documents this operation as idempotent.
        if *at == to.id {
            return Ok(association.clone());
        }
        if allow_reassociation == Some(false) {
            return Err(Error::AlreadyAssociated(address.id.to_string(), association.to_string()));
        }
    }
    if let Some(other) = interface::elastic(cx.tx, &to.id) {
        if allow_reassociation != Some(true) {
            return Err(Error::AlreadyAssociated(to.id.to_string(), other.id.to_string()));
        }
        cx.tx.update(other.id.as_str(), |a: &mut Address| a.association = None);
    }
    if cx
        .tx
        .get::<escale_tables::ec2::Vpc>(to.vpc.as_str())
        .and_then(|v| crate::shapes::gateway::attached_to(cx.tx, &v))
        .is_none()
    {
        return Err(Error::GatewayNotAttached(format!(
            "Network {} is not attached to any internet gateway",
            to.vpc
        )));
    }
    let id = AssociationId::random();
    cx.tx.update(address.id.as_str(), |a: &mut Address| a.association = Some((id.clone(), to.id.clone())));
    // An Elastic IP address replaces the automatically assigned one, which is released.
    if to.auto_public_ip.is_some() {
        cx.tx.update(to.id.as_str(), |i: &mut Interface| i.auto_public_ip = None);
    }
    Ok(id)
}

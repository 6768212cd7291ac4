//! Elastic IP addresses.

use crate::{
    Error,
    choices::{DomainType, ServiceManaged},
    error::Kind,
    rules,
};
use escale_base::{Tag, Wire};
use escale_service::Cx;
use escale_tables::ec2::{Address, AllocationId, Interface};
use std::{net::Ipv4Addr, sync::Arc};

#[derive(Debug, Wire)]
pub(crate) struct AddressShape {
    pub allocation_id: AllocationId,
    pub public_ip: String,
    pub domain: DomainType,
    pub public_ipv4_pool: &'static str,
    pub network_border_group: String,
    pub association_id: Option<String>,
    pub network_interface_id: Option<String>,
    pub network_interface_owner_id: Option<String>,
    pub private_ip_address: Option<String>,
    pub service_managed: Option<ServiceManaged>,
    pub tags: Vec<Tag>,
}

pub(crate) fn address(cx: &Cx<'_>, row: &Address) -> AddressShape {
    let interface = row.association.as_ref().and_then(|(_, id)| cx.tx.get::<Interface>(id.as_str()));
    AddressShape {
        allocation_id: row.id.clone(),
        public_ip: row.public_ip.to_string(),
        domain: DomainType::Vpc,
        public_ipv4_pool: "amazon",
        network_border_group: cx.config.region.clone(),
        association_id: row.association.as_ref().map(|(id, _)| id.to_string()),
        network_interface_id: interface.as_ref().map(|i| i.id.to_string()),
        network_interface_owner_id: interface.as_ref().map(|_| cx.config.account.clone()),
        private_ip_address: interface.as_ref().map(|i| i.private_ip.to_string()),
        service_managed: match row.requester.as_deref() {
            Some("elasticloadbalancing.amazonaws.com") => Some(ServiceManaged::Alb),
            Some("rds.amazonaws.com") => Some(ServiceManaged::Rds),
            _ => None,
        },
        tags: row.tags.clone(),
    }
}

/// The address that a request names by its allocation id or by its public IP address.
pub(crate) fn named(
    cx: &Cx<'_>,
    id: Option<AllocationId>,
    public_ip: Option<String>,
) -> Result<Arc<Address>, Error> {
    match (id, public_ip) {
        (Some(_), Some(_)) => Err(Error::Combination(
            "You may specify public IP or allocation id, but not both in the same call".into(),
        )),
        (Some(id), None) => rules::find::<Address>(cx, id.as_str()),
        (None, Some(text)) => {
            let ip: Ipv4Addr =
                text.parse().map_err(|_| Error::invalid("publicIp", text, "This is not an IPv4 address."))?;
            cx.tx.scan::<Address>().find(|a| a.public_ip == ip).ok_or(Error::NoAddress(ip))
        }
        (None, None) => Err(Error::Missing("allocationId")),
    }
}

/// The address with this association.
pub(crate) fn of_association(cx: &Cx<'_>, id: &str) -> Result<Arc<Address>, Error> {
    let holds = |a: &Arc<Address>| a.association.as_ref().is_some_and(|(i, _)| i.as_str() == id);
    let found = cx.tx.scan::<Address>().find(holds);
    found.ok_or_else(|| Error::NotFound(Kind::AddressAssociation, id.to_owned()))
}

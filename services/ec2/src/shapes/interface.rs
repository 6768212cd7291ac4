//! Network interfaces.

use crate::{
    choices::AttachmentStatus,
    status::{self, InterfaceStatus},
};
use escale_base::{Tag, Wire};
use escale_service::Cx;
use escale_store::Image;
use escale_tables::ServicePrincipal;
use escale_tables::ec2::{Address, Group, Interface, InterfaceId, InterfaceType, SubnetId, VpcId};
use std::{net::Ipv4Addr, sync::Arc};

#[derive(Debug, Wire)]
pub(crate) struct InterfaceShape {
    pub network_interface_id: InterfaceId,
    pub vpc_id: VpcId,
    pub subnet_id: SubnetId,
    pub availability_zone: String,
    pub availability_zone_id: String,
    pub private_ip_address: String,
    pub private_ip_addresses: Vec<PrivateAddress>,
    pub association: Option<Association>,
    pub attachment: Option<Attachment>,
    pub groups: Vec<GroupIdentifier>,
    pub source_dest_check: bool,
    pub description: String,
    pub interface_type: InterfaceType,
    pub owner_id: String,
    pub requester_id: Option<ServicePrincipal>,
    pub requester_managed: bool,
    pub status: InterfaceStatus,
    pub tag_set: Vec<Tag>,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct PrivateAddress {
    pub private_ip_address: String,
    pub primary: bool,
    pub association: Option<Association>,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct Association {
    pub allocation_id: Option<String>,
    pub association_id: Option<String>,
    pub ip_owner_id: String,
    pub public_ip: String,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct Attachment {
    pub attachment_id: String,
    pub delete_on_termination: bool,
    pub instance_owner_id: String,
    pub status: AttachmentStatus,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct GroupIdentifier {
    pub group_id: String,
    pub group_name: String,
}

/// The Elastic IP that is associated with an interface.
pub(crate) fn elastic(image: &Image, id: &InterfaceId) -> Option<Arc<Address>> {
    image.scan::<Address>().find(|a| a.association.as_ref().is_some_and(|(_, i)| i == id))
}

/// The public address of an interface. An Elastic IP address takes precedence over the automatically assigned one.
pub(crate) fn public_ip(image: &Image, row: &Interface) -> Option<Ipv4Addr> {
    elastic(image, &row.id).map(|a| a.public_ip).or(row.auto_public_ip)
}

pub(crate) fn interface(cx: &Cx<'_>, row: &Interface) -> InterfaceShape {
    let association = association(cx, row);
    let status = status::interface(cx.tx, row);
    // Only the interfaces of services are attached, because there are no instances.
    let attachment = row.requester.as_ref().map(|requester| Attachment {
        attachment_id: row.id.as_str().replacen("eni-", "eni-attach-", 1),
        delete_on_termination: false,
        instance_owner_id: requester.to_string(),
        status: if status == InterfaceStatus::InUse {
            AttachmentStatus::Attached
        } else {
            AttachmentStatus::Attaching
        },
    });
    InterfaceShape {
        network_interface_id: row.id.clone(),
        vpc_id: row.vpc.clone(),
        subnet_id: row.subnet.clone(),
        availability_zone: row.zone.to_string(),
        availability_zone_id: cx.config.zone_id(&row.zone),
        private_ip_address: row.private_ip.to_string(),
        private_ip_addresses: vec![PrivateAddress {
            private_ip_address: row.private_ip.to_string(),
            primary: true,
            association: association.clone(),
        }],
        association,
        attachment,
        groups: row.groups.iter().map(|id| identifier(cx, id.as_str())).collect(),
        source_dest_check: row.source_dest_check,
        description: row.description.clone(),
        interface_type: row.interface_type,
        owner_id: cx.config.account.clone(),
        requester_id: row.requester.clone(),
        requester_managed: row.requester.is_some(),
        status,
        tag_set: row.tags.clone(),
    }
}

fn association(cx: &Cx<'_>, row: &Interface) -> Option<Association> {
    if let Some(address) = elastic(cx.tx, &row.id) {
        return Some(Association {
            allocation_id: Some(address.id.to_string()),
            association_id: address.association.as_ref().map(|(id, _)| id.to_string()),
            ip_owner_id: address.requester.as_deref().unwrap_or(&cx.config.account).to_owned(),
            public_ip: address.public_ip.to_string(),
        });
    }
    // AWS owns an automatically assigned address, and it has no allocation.
    row.auto_public_ip.map(|ip| Association {
        allocation_id: None,
        association_id: None,
        ip_owner_id: "amazon".into(),
        public_ip: ip.to_string(),
    })
}

fn identifier(cx: &Cx<'_>, id: &str) -> GroupIdentifier {
    let name = cx.tx.get::<Group>(id).map(|g| g.name.clone()).unwrap_or_default();
    GroupIdentifier { group_id: id.to_owned(), group_name: name }
}

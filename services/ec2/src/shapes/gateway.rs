//! Internet gateways, NAT gateways, gateway endpoints.

use crate::{
    choices::{
        AttachmentStatus, AvailabilityMode, ConnectivityType, EndpointState, NatGatewayAddressStatus,
        VpcEndpointType,
    },
    error::Kind,
    status,
};
use escale_base::{Tag, Timestamp, Wire};
use escale_service::Cx;
use escale_store::Image;
use escale_tables::ec2::{
    AllocationId, Endpoint, EndpointId, InternetGateway, InternetGatewayId, NatFailure, NatGateway,
    NatGatewayId, SubnetId, Vpc, VpcId,
};

/// How long a deleted or failed NAT gateway is shown, as on AWS.
/// Source: <https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html#nat-gateway-troubleshooting-failed>
const DELETED_SHOWN_MS: i64 = 60 * 60 * 1000;

#[derive(Debug, Wire)]
pub(crate) struct InternetGatewayShape {
    pub internet_gateway_id: InternetGatewayId,
    pub attachments: Vec<InternetGatewayAttachment>,
    pub owner_id: String,
    pub tags: Vec<Tag>,
}

#[derive(Debug, Wire)]
pub(crate) struct InternetGatewayAttachment {
    pub vpc_id: VpcId,
    pub state: AttachmentStatus,
}

pub(crate) fn internet(cx: &Cx<'_>, row: &InternetGateway) -> InternetGatewayShape {
    // AWS returns `available`, although its model says `attached`. Clients wait for `available`.
    let attachment = row
        .vpc
        .iter()
        .map(|vpc| InternetGatewayAttachment { vpc_id: vpc.clone(), state: AttachmentStatus::Available });
    InternetGatewayShape {
        internet_gateway_id: row.id.clone(),
        attachments: attachment.collect(),
        owner_id: cx.config.account.clone(),
        tags: row.tags.clone(),
    }
}

#[derive(Debug, Wire)]
pub(crate) struct NatGatewayShape {
    pub nat_gateway_id: NatGatewayId,
    pub vpc_id: VpcId,
    pub subnet_id: SubnetId,
    pub state: status::NatState,
    pub failure_code: Option<&'static str>,
    pub failure_message: Option<String>,
    pub connectivity_type: ConnectivityType,
    pub availability_mode: AvailabilityMode,
    pub nat_gateway_addresses: Vec<NatGatewayAddress>,
    pub create_time: Timestamp,
    pub delete_time: Option<Timestamp>,
    pub tags: Vec<Tag>,
}

#[derive(Debug, Wire)]
pub(crate) struct NatGatewayAddress {
    pub allocation_id: AllocationId,
    pub association_id: Option<String>,
    pub network_interface_id: Option<String>,
    pub private_ip: Option<String>,
    pub public_ip: String,
    pub is_primary: bool,
    pub failure_message: Option<String>,
    pub status: NatGatewayAddressStatus,
}

pub(crate) fn nat(cx: &Cx<'_>, row: &NatGateway) -> NatGatewayShape {
    nat_as(cx, row, status::nat(cx.tx, row))
}

/// A NAT gateway, shown in this state.
pub(crate) fn nat_as(cx: &Cx<'_>, row: &NatGateway, state: status::NatState) -> NatGatewayShape {
    let address = cx.tx.get::<escale_tables::ec2::Address>(row.allocation.as_str());
    let association = address.and_then(|a| a.association.clone());
    // After the gateway was deleted, the address may be associated with another interface.
    let association = association.filter(|(_, i)| row.interface.as_ref() == Some(i));
    // AWS reports a failure only after the state `pending`.
    let failure = row.failure.filter(|_| state != status::NatState::Pending);
    NatGatewayShape {
        nat_gateway_id: row.id.clone(),
        vpc_id: row.vpc.clone(),
        subnet_id: row.subnet.clone(),
        state,
        failure_code: failure.map(failure_code),
        failure_message: failure.map(|f| failure_message(row, f)),
        connectivity_type: ConnectivityType::Public,
        availability_mode: AvailabilityMode::Zonal,
        nat_gateway_addresses: vec![NatGatewayAddress {
            allocation_id: row.allocation.clone(),
            association_id: association.map(|(id, _)| id.to_string()),
            network_interface_id: row.interface.as_ref().map(ToString::to_string),
            private_ip: row.private_ip.map(|ip| ip.to_string()),
            public_ip: row.public_ip.to_string(),
            is_primary: true,
            failure_message: failure.map(|f| failure_message(row, f)),
            status: match state {
                status::NatState::Pending => NatGatewayAddressStatus::Associating,
                status::NatState::Failed => NatGatewayAddressStatus::Failed,
                status::NatState::Available => NatGatewayAddressStatus::Succeeded,
                status::NatState::Deleting | status::NatState::Deleted => {
                    NatGatewayAddressStatus::Disassociating
                }
            },
        }],
        create_time: row.created,
        delete_time: row.deleted,
        tags: row.tags.clone(),
    }
}

/// The codes and messages are AWS's: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NatGateway.html>
fn failure_code(failure: NatFailure) -> &'static str {
    match failure {
        NatFailure::GatewayNotAttached => "Gateway.NotAttached",
        NatFailure::AlreadyAssociated => "Resource.AlreadyAssociated",
    }
}

pub(crate) fn failure_message(row: &NatGateway, failure: NatFailure) -> String {
    match failure {
        NatFailure::GatewayNotAttached => format!("Network {} has no Internet gateway attached", row.vpc),
        NatFailure::AlreadyAssociated => {
            format!("Elastic IP address {} is already associated", row.allocation)
        }
    }
}

/// Whether a NAT gateway was deleted or failed so long ago that it is no longer shown.
pub(crate) fn is_expired(image: &Image, row: &NatGateway, now: Timestamp) -> bool {
    let ended = row.deleted.or(row.failure.map(|_| row.created));
    // A gateway that is still being deleted is shown, however long that takes.
    ended.is_some_and(|at| now.since_ms(at) > DELETED_SHOWN_MS)
        && matches!(status::nat(image, row), status::NatState::Deleted | status::NatState::Failed)
}

#[derive(Debug, Wire)]
pub(crate) struct EndpointShape {
    pub vpc_endpoint_id: EndpointId,
    pub vpc_endpoint_type: VpcEndpointType,
    pub vpc_id: VpcId,
    pub service_name: String,
    pub state: EndpointState,
    pub policy_document: String,
    pub route_table_ids: Vec<String>,
    pub private_dns_enabled: bool,
    pub requester_managed: bool,
    pub creation_timestamp: Timestamp,
    pub owner_id: String,
    pub tags: Vec<Tag>,
}

/// AWS's default policy for endpoints.
pub(crate) const FULL_ACCESS: &str = "{\"Version\":\"2008-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\"}]}";

pub(crate) fn endpoint(cx: &Cx<'_>, row: &Endpoint) -> EndpointShape {
    EndpointShape {
        vpc_endpoint_id: row.id.clone(),
        vpc_endpoint_type: VpcEndpointType::Gateway,
        vpc_id: row.vpc.clone(),
        service_name: row.service_name.clone(),
        state: endpoint_state(cx.tx, row),
        policy_document: row.policy.clone().unwrap_or_else(|| FULL_ACCESS.into()),
        route_table_ids: row.route_tables.iter().map(ToString::to_string).collect(),
        private_dns_enabled: false,
        requester_managed: false,
        creation_timestamp: row.created,
        owner_id: cx.config.account.clone(),
        tags: row.tags.clone(),
    }
}

/// An endpoint consists of routes of its VPC, so it is available when the VPC is.
pub(crate) fn endpoint_state(image: &Image, row: &Endpoint) -> EndpointState {
    match status::vpc(image, &row.vpc) {
        status::VpcState::Available => EndpointState::Available,
        status::VpcState::Pending => EndpointState::Pending,
    }
}

/// The Internet gateway that is attached to a VPC.
pub(crate) fn attached_to(image: &Image, vpc: &Vpc) -> Option<InternetGatewayId> {
    image.scan::<InternetGateway>().find(|g| g.vpc.as_ref() == Some(&vpc.id)).map(|g| g.id.clone())
}

/// The error for a NAT gateway that does not exist or was deleted.
pub(crate) fn no_nat(id: &str) -> crate::Error {
    crate::Error::NotFound(Kind::NatGateway, id.to_owned())
}

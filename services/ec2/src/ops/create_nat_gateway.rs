//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNatGateway.html>

use super::associate_address::associate;
use crate::{
    Error,
    choices::{AvailabilityMode, ConnectivityType, ResourceType},
    rules, shapes,
    status::NatState,
};
use escale_base::Wire;
use escale_requests::ec2::CreateNetworkInterface;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{
    Address, AllocationId, Interface, NatFailure, NatGateway, NatGatewayId, Subnet, SubnetId, Vpc,
};

pub(crate) struct CreateNatGateway;

#[derive(Wire)]
pub(crate) struct Input {
    subnet_id: Option<SubnetId>,
    allocation_id: Option<AllocationId>,
    connectivity_type: Option<ConnectivityType>,
    availability_mode: Option<AvailabilityMode>,
    private_ip_address: Option<String>,
    client_token: Option<String>,
    tag_specifications: Vec<shapes::TagSpecification>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) nat_gateway: shapes::gateway::NatGatewayShape,
    pub(crate) client_token: Option<String>,
}

/// The service principal that owns the interfaces of NAT gateways.
const PRINCIPAL: &str = "nat.ec2.amazonaws.com";

impl Operation for CreateNatGateway {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        if let Some(kind) = input.connectivity_type.filter(|k| *k != ConnectivityType::Public) {
            return Err(rules::refuse_with_hint(
                format_args!("ConnectivityType={kind}"),
                "Use ConnectivityType=public.",
            ));
        }
        if let Some(mode) = input.availability_mode.filter(|m| *m != AvailabilityMode::Zonal) {
            return Err(rules::refuse_with_hint(
                format_args!("AvailabilityMode={mode}"),
                "Use AvailabilityMode=zonal.",
            ));
        }
        let subnet = input.subnet_id.ok_or(Error::Missing("subnetId"))?;
        let subnet = rules::find::<Subnet>(cx, subnet.as_str())?;
        let allocation = input.allocation_id.ok_or(Error::Missing("allocationId"))?;
        let address = rules::find::<Address>(cx, allocation.as_str())?;
        rules::may_touch(cx, address.requester.as_deref(), address.id.as_str())?;
        let id = NatGatewayId::random();
        let failure = failure(cx, &subnet, &address)?;
        let interface = match failure {
            Some(_) => None,
            None => {
                let interface = interface(cx, &id, &subnet, input.private_ip_address)?;
                // A NAT gateway never takes an address from another interface.
                associate(cx, &address, &interface, Some(false))?;
                Some(interface)
            }
        };
        let gateway = NatGateway {
            id,
            vpc: subnet.vpc.clone(),
            subnet: subnet.id.clone(),
            interface: interface.as_ref().map(|i| i.id.clone()),
            allocation,
            private_ip: interface.map(|i| i.private_ip),
            public_ip: address.public_ip,
            failure,
            deleted: None,
            tags: shapes::tags_for(&input.tag_specifications, ResourceType::Natgateway)?,
            created: cx.now,
        };
        delete_expired(cx);
        // AWS accepts the request and returns `pending` even if the gateway cannot work. The next DescribeNatGateways shows the
        // failure.
        let nat_gateway = shapes::gateway::nat_as(cx, &gateway, NatState::Pending);
        cx.tx.put(gateway);
        Ok(Output { nat_gateway, client_token: input.client_token })
    }
}

/// Why a gateway with this address would not work in this subnet.
fn failure(cx: &Cx<'_>, subnet: &Subnet, address: &Address) -> Result<Option<NatFailure>, Error> {
    let vpc = rules::find::<Vpc>(cx, subnet.vpc.as_str())?;
    Ok(match (shapes::gateway::attached_to(cx.tx, &vpc), &address.association) {
        (None, _) => Some(NatFailure::GatewayNotAttached),
        (Some(_), Some(_)) => Some(NatFailure::AlreadyAssociated),
        (Some(_), None) => None,
    })
}

/// Creates the NAT gateway's interface, in the same way as other services create theirs.
fn interface(
    cx: &mut Cx<'_>,
    id: &NatGatewayId,
    subnet: &Subnet,
    private_ip: Option<String>,
) -> Result<std::sync::Arc<Interface>, Error> {
    let request = CreateNetworkInterface {
        subnet_id: subnet.id.clone(),
        description: format!("Interface for NAT Gateway {id}"),
        groups: None,
        interface_type: Some(escale_tables::ec2::InterfaceType::NatGateway),
        private_ip_address: private_ip,
    };
    // As a service principal, so that the interface is requester-managed and users cannot change it.
    let created = cx.call_as(PRINCIPAL, request)?.network_interface;
    rules::find::<Interface>(cx, created.network_interface_id.as_str())
}

/// Deletes the rows of gateways that are no longer shown. Each creation does this, so no timer is needed.
fn delete_expired(cx: &mut Cx<'_>) {
    let expired = |n: &std::sync::Arc<NatGateway>| shapes::gateway::is_expired(cx.tx, n, cx.now);
    let expired: Vec<_> = cx.tx.scan::<NatGateway>().filter(expired).collect();
    for n in &expired {
        cx.tx.delete::<NatGateway>(n.id.as_str());
    }
}

//! The nodes of a load balancer: one in each of its subnets.

use crate::{Error, PRINCIPAL, error::invalid};
use escale_base::{AwsError, Wire};
use escale_requests::ec2::{
    AllocateAddress, AssociateAddress, CreateNetworkInterface, DeleteNetworkInterface, DisassociateAddress,
    ReleaseAddress,
};
use escale_service::Cx;
use escale_tables::{
    ec2::{InterfaceType, Subnet, SubnetId},
    elbv2::{BalancerKind, LoadBalancer, LoadBalancerName, Node, PublicAddress, Scheme},
};
use std::sync::Arc;

/// The other members of a mapping give the nodes of network load balancers addresses of the client's choice, which is refused.
#[derive(Wire)]
pub(crate) struct Mapping {
    pub subnet_id: SubnetId,
}

/// Checks that there are enough subnets for the kind, of one VPC and each in a different zone.
pub(crate) fn subnets(
    cx: &Cx<'_>,
    kind: BalancerKind,
    ids: Vec<SubnetId>,
    mappings: Vec<Mapping>,
) -> Result<Vec<Arc<Subnet>>, Error> {
    let ids: Vec<SubnetId> = ids.into_iter().chain(mappings.into_iter().map(|m| m.subnet_id)).collect();
    let get = |id: &SubnetId| cx.tx.get::<Subnet>(id.as_str()).ok_or_else(|| Error::NoSubnet(id.to_string()));
    let subnets = ids.iter().map(get).collect::<Result<Vec<_>, _>>()?;
    for (i, subnet) in subnets.iter().enumerate() {
        if subnet.vpc != subnets[0].vpc {
            let message = "All subnets must belong to the same VPC".to_owned();
            return Err(Error::InvalidConfiguration(message));
        }
        if subnets[..i].iter().any(|s| s.zone == subnet.zone) {
            let message =
                "A load balancer cannot be attached to multiple subnets in the same Availability Zone";
            return Err(Error::InvalidConfiguration(message.into()));
        }
    }
    if kind == BalancerKind::Network && subnets.is_empty() {
        return Err(invalid("At least one subnet must be specified"));
    }
    if kind == BalancerKind::Application && subnets.len() < 2 {
        return Err(invalid("At least two subnets in two different Availability Zones must be specified"));
    }
    Ok(subnets)
}

/// Creates a network interface in the subnet; for an internet-facing load balancer also an Elastic IP address.
pub(crate) fn create(cx: &mut Cx<'_>, balancer: &LoadBalancer, subnet: &Subnet) -> Result<Node, AwsError> {
    let name = balancer.arn.split_once(":loadbalancer/").map_or("", |(_, name)| name);
    let request = CreateNetworkInterface {
        subnet_id: subnet.id.clone(),
        description: format!("ELB {name}"),
        groups: Some(balancer.groups.clone()),
        // Such an interface may be without groups.
        interface_type: (balancer.kind == BalancerKind::Network)
            .then_some(InterfaceType::NetworkLoadBalancer),
        private_ip_address: None,
    };
    // As the service itself: the caller needs no permission for EC2's operations.
    let interface = cx.call_as(PRINCIPAL, request)?.network_interface;
    let public = match balancer.scheme {
        Scheme::Internal => None,
        Scheme::InternetFacing => {
            let allocated = cx.call_as(PRINCIPAL, AllocateAddress {})?;
            let request = AssociateAddress {
                allocation_id: allocated.allocation_id.clone(),
                network_interface_id: interface.network_interface_id.clone(),
            };
            let association = cx.call_as(PRINCIPAL, request)?.association_id;
            Some(PublicAddress { allocation: allocated.allocation_id, association, ip: allocated.public_ip })
        }
    };
    Ok(Node {
        zone: subnet.zone.clone(),
        subnet: subnet.id.clone(),
        private_ip: interface.private_ip_address,
        interface: interface.network_interface_id,
        public,
    })
}

/// Deletes the network interface and the Elastic IP address of a node.
pub(crate) fn release(cx: &mut Cx<'_>, node: &Node) -> Result<(), AwsError> {
    if let Some(public) = &node.public {
        // EC2 releases only an address that is not associated.
        cx.call_as(PRINCIPAL, DisassociateAddress { association_id: public.association.clone() })?;
        cx.call_as(PRINCIPAL, ReleaseAddress { allocation_id: public.allocation.clone() })?;
    }
    cx.call_as(PRINCIPAL, DeleteNetworkInterface { network_interface_id: node.interface.clone() })
}

/// The load balancer's name with the addresses of these nodes.
pub(crate) fn published<'a>(
    balancer: &LoadBalancer,
    nodes: impl IntoIterator<Item = &'a Node>,
) -> LoadBalancerName {
    let address = |n: &Node| n.public.as_ref().map_or(n.private_ip, |p| p.ip);
    LoadBalancerName {
        name: balancer.dns_name.clone(),
        addresses: nodes.into_iter().map(address).collect(),
        public: balancer.scheme == Scheme::InternetFacing,
        vpc: balancer.vpc.clone(),
    }
}

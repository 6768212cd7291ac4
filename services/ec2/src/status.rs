//! Derives the states that AWS shows from the desired and the observed rows.

use crate::{choices::FlowLogDelivery, default_vpc};
use escale_base::choice;
use escale_store::Image;
use escale_tables::ec2::{
    EgressOnlyInternetGateway, FlowLog, FlowLogSeen, Interface, InterfaceSeen, InternetGateway, NatGateway,
    PeeringDecision, RouteTable, Target, VpcId, VpcPeering, VpcSeen,
};

choice! { pub(crate) enum VpcState { Pending = "pending", Available = "available" } }
choice! {
    /// AWS returns `pending` while an interface is being created, although its model does not list it.
    pub(crate) enum InterfaceStatus { Pending = "pending", Available = "available", InUse = "in-use" }
}
choice! {
    pub(crate) enum NatState {
        Pending = "pending", Failed = "failed", Available = "available", Deleting = "deleting", Deleted = "deleted",
    }
}
choice! {
    pub(crate) enum PeeringState {
        InitiatingRequest = "initiating-request", PendingAcceptance = "pending-acceptance", Active = "active",
        Deleted = "deleted", Rejected = "rejected", Failed = "failed", Expired = "expired",
        Provisioning = "provisioning", Deleting = "deleting",
    }
}
/// AWS's message of the state `failed`.
pub(crate) const PEERING_FAILED: &str =
    "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range";
choice! { pub(crate) enum RouteState { Active = "active", Blackhole = "blackhole" } }

/// A VPC is available as soon as the plane has built it, or immediately if it needs no network.
pub(crate) fn vpc(image: &Image, id: &VpcId) -> VpcState {
    if image.has::<VpcSeen>(id.as_str()) || !default_vpc::needs_network(image, id) {
        VpcState::Available
    } else {
        VpcState::Pending
    }
}

/// The state of an interface. One that a service created is in use by the service's resource.
pub(crate) fn interface(image: &Image, row: &Interface) -> InterfaceStatus {
    match (image.has::<InterfaceSeen>(row.id.as_str()), row.requester.is_some()) {
        (false, _) => InterfaceStatus::Pending,
        (true, false) => InterfaceStatus::Available,
        (true, true) => InterfaceStatus::InUse,
    }
}

/// A NAT gateway is available as soon as its interface is up and has its public address.
pub(crate) fn nat(image: &Image, row: &NatGateway) -> NatState {
    let seen = row.interface.as_ref().and_then(|i| image.get::<InterfaceSeen>(i.as_str()));
    match (row.deleted, seen) {
        (None, _) if row.failure.is_some() => NatState::Failed,
        (None, Some(seen)) if seen.public_ip == Some(row.public_ip) => NatState::Available,
        (None, _) => NatState::Pending,
        (Some(_), Some(_)) => NatState::Deleting,
        (Some(_), None) => NatState::Deleted,
    }
}

/// Whether the records of a flow log reach their destination, and why not. Neither is known before the first delivery.
pub(crate) fn flow_log(image: &Image, row: &FlowLog) -> (Option<FlowLogDelivery>, Option<String>) {
    match image.get::<FlowLogSeen>(row.id.as_str()) {
        None => (None, None),
        Some(seen) => match seen.failure {
            None => (Some(FlowLogDelivery::Success), None),
            Some(failure) => (Some(FlowLogDelivery::Failed), Some(failure.to_string())),
        },
    }
}

/// Whether a route's target exists.
pub(crate) fn route(image: &Image, table: &RouteTable, target: &Target) -> RouteState {
    let active = match target {
        Target::InternetGateway(id) => {
            image.get::<InternetGateway>(id.as_str()).is_some_and(|g| g.vpc.as_ref() == Some(&table.vpc))
        }
        Target::NatGateway(id) => image.get::<NatGateway>(id.as_str()).is_some_and(|n| n.deleted.is_none()),
        Target::EgressOnlyInternetGateway(id) => image.has::<EgressOnlyInternetGateway>(id.as_str()),
        Target::Interface(id) => image.has::<Interface>(id.as_str()),
        // Until the request is accepted, too: as on AWS, a route may exist before.
        Target::VpcPeering(id) => {
            image.get::<VpcPeering>(id.as_str()).is_some_and(|p| p.decision == PeeringDecision::Accepted)
        }
        Target::Endpoint(id) => image.has::<escale_tables::ec2::Endpoint>(id.as_str()),
    };
    if active { RouteState::Active } else { RouteState::Blackhole }
}

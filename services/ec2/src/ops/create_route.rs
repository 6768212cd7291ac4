//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRoute.html>

use crate::{
    Error,
    error::{Kind, Limit},
    ipv6, peerings, rules,
    status::PeeringState,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{
    EgressOnlyInternetGateway, EgressOnlyInternetGatewayId, Interface, InterfaceId, InternetGateway,
    NatGateway, NatGatewayId, Route, RouteTable, RouteTableId, Target, Vpc, VpcPeeringId,
};
use ipnet::IpNet;

pub(crate) struct CreateRoute;

#[derive(Wire)]
pub(crate) struct Input {
    route_table_id: RouteTableId,
    destination_cidr_block: Option<String>,
    destination_ipv6_cidr_block: Option<String>,
    egress_only_internet_gateway_id: Option<EgressOnlyInternetGatewayId>,
    gateway_id: Option<String>,
    nat_gateway_id: Option<NatGatewayId>,
    network_interface_id: Option<InterfaceId>,
    vpc_peering_connection_id: Option<VpcPeeringId>,
}

#[derive(Wire)]
pub(crate) struct Output {
    #[wire("Return")]
    done: bool,
}

impl Operation for CreateRoute {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let (table, route) = requested_route(cx, input)?;
        if table.routes.iter().any(|r| r.destination == route.destination) {
            return Err(Error::RouteExists(format!(
                "The route identified by {} already exists.",
                route.destination
            )));
        }
        if table.routes.len() >= Limit::RoutesPerTable.max() {
            return Err(Error::TooMany(
                Limit::RoutesPerTable,
                format!("The maximum number of routes in {} has been reached.", table.id),
            ));
        }
        cx.tx.update(table.id.as_str(), |t: &mut RouteTable| t.routes.push(route));
        Ok(Output { done: true })
    }
}

/// Validates a request of CreateRoute or ReplaceRoute; returns its table and its route.
pub(super) fn requested_route(
    cx: &Cx<'_>,
    input: Input,
) -> Result<(std::sync::Arc<RouteTable>, Route), Error> {
    let table = rules::find::<RouteTable>(cx, input.route_table_id.as_str())?;
    let vpc = rules::find::<Vpc>(cx, table.vpc.as_str())?;
    let (block, ipv6_block) = (input.destination_cidr_block, input.destination_ipv6_cidr_block);
    let destination = destination(cx, &vpc, block.as_deref(), ipv6_block.as_deref())?;
    let mut targets = Vec::new();
    if let Some(id) = input.gateway_id {
        targets.push(gateway(cx, &vpc, id)?);
    }
    if let Some(id) = input.nat_gateway_id {
        targets.push(nat(cx, &vpc, id)?);
    }
    if let Some(id) = input.network_interface_id {
        targets.push(interface(cx, &vpc, id)?);
    }
    if let Some(id) = input.egress_only_internet_gateway_id {
        targets.push(egress_only(cx, &vpc, destination, id)?);
    }
    if let Some(id) = input.vpc_peering_connection_id {
        targets.push(peering(cx, &vpc, id)?);
    }
    match (targets.pop(), targets.is_empty()) {
        (Some(target), true) => Ok((table, Route { destination, target })),
        (None, _) => Err(Error::Missing(TARGETS)),
        (Some(_), false) => Err(Error::Combination(format!("A route has one target: {TARGETS}."))),
    }
}

const TARGETS: &str =
    "gatewayId, natGatewayId, networkInterfaceId, egressOnlyInternetGatewayId or vpcPeeringConnectionId";

/// The destination of a route that a request names by one of two parameters.
pub(super) fn destination(
    cx: &Cx<'_>,
    vpc: &Vpc,
    block: Option<&str>,
    ipv6_block: Option<&str>,
) -> Result<IpNet, Error> {
    let (parameter, destination): (_, IpNet) = match (block, ipv6_block) {
        (Some(text), None) => ("destinationCidrBlock", rules::cidr("destinationCidrBlock", text)?.into()),
        (None, Some(text)) => {
            ("destinationIpv6CidrBlock", rules::ipv6_cidr("destinationIpv6CidrBlock", text)?.into())
        }
        (None, None) => return Err(Error::Missing("destinationCidrBlock or destinationIpv6CidrBlock")),
        (Some(_), Some(_)) => {
            let why = "A route has one destination: destinationCidrBlock or destinationIpv6CidrBlock.";
            return Err(Error::Combination(why.into()));
        }
    };
    let own = [Some(vpc.cidr.into()), ipv6::of_vpc(cx.tx, &vpc.id).map(|block| block.cidr.into())];
    for own in own.into_iter().flatten() {
        if destination == own {
            let why = "It is the destination of the local route. Every table has this route, and it cannot be changed.";
            return Err(Error::invalid(parameter, destination, why));
        }
        if own.contains(&destination) {
            return Err(rules::refuse_with_hint(
                format_args!("A route to {destination}"),
                format_args!("Use a destination outside of the VPC's block {own}."),
            ));
        }
    }
    Ok(destination)
}

fn gateway(cx: &Cx<'_>, vpc: &Vpc, id: String) -> Result<Target, Error> {
    if id == "local" {
        let why = "Every table has the local route already.";
        return Err(Error::invalid("gatewayId", id, why));
    }
    if !id.starts_with("igw-") {
        // A virtual private gateway may exist on AWS; any other id is a mistake of the caller.
        return Err(if id.starts_with("vgw-") {
            rules::refuse_with_hint(
                format_args!("A route to the virtual private gateway {id}"),
                "Use an Internet gateway, a NAT gateway or a network interface as target.",
            )
        } else {
            Error::NotFound(Kind::InternetGateway, id)
        });
    }
    let gateway = rules::find::<InternetGateway>(cx, &id)?;
    if gateway.vpc.as_ref() != Some(&vpc.id) {
        return Err(Error::WrongVpc(format!(
            "route table and network gateway {id} belong to different networks. Attach the gateway to {} first.",
            vpc.id
        )));
    }
    Ok(Target::InternetGateway(gateway.id.clone()))
}

fn nat(cx: &Cx<'_>, vpc: &Vpc, id: NatGatewayId) -> Result<Target, Error> {
    // A deleted or failed gateway still has a row.
    let gateway = cx.tx.get::<NatGateway>(id.as_str()).filter(|n| n.deleted.is_none() && n.failure.is_none());
    let gateway = gateway.ok_or_else(|| Error::NotFound(Kind::NatGateway, id.to_string()))?;
    same_vpc(vpc, &gateway.vpc, id.as_str())?;
    Ok(Target::NatGateway(id))
}

fn egress_only(
    cx: &Cx<'_>,
    vpc: &Vpc,
    destination: IpNet,
    id: EgressOnlyInternetGatewayId,
) -> Result<Target, Error> {
    let gateway = rules::find::<EgressOnlyInternetGateway>(cx, id.as_str())?;
    same_vpc(vpc, &gateway.vpc, id.as_str())?;
    if matches!(destination, IpNet::V4(_)) {
        let why = "An egress-only Internet gateway is a target of IPv6 routes only.";
        return Err(Error::invalid("egressOnlyInternetGatewayId", id, why));
    }
    Ok(Target::EgressOnlyInternetGateway(id))
}

/// As on AWS, a route may exist before the request is accepted; it is a black hole until then.
fn peering(cx: &Cx<'_>, vpc: &Vpc, id: VpcPeeringId) -> Result<Target, Error> {
    let row = peerings::find(cx, &id)?;
    if row.sides(&vpc.id).is_none() {
        return Err(Error::WrongVpc(format!(
            "route table and vpc peering connection {id} belong to different networks"
        )));
    }
    let state = peerings::state(cx.tx, &row, cx.now);
    match state {
        PeeringState::PendingAcceptance | PeeringState::Provisioning | PeeringState::Active => {
            Ok(Target::VpcPeering(id))
        }
        _ => {
            let why = format!("The peering connection is {state}. Create a new one.");
            Err(Error::invalid("vpcPeeringConnectionId", id, why))
        }
    }
}

fn interface(cx: &Cx<'_>, vpc: &Vpc, id: InterfaceId) -> Result<Target, Error> {
    let interface = rules::find::<Interface>(cx, id.as_str())?;
    same_vpc(vpc, &interface.vpc, id.as_str())?;
    Ok(Target::Interface(id))
}

fn same_vpc(vpc: &Vpc, other: &escale_tables::ec2::VpcId, id: &str) -> Result<(), Error> {
    if vpc.id == *other {
        Ok(())
    } else {
        Err(Error::WrongVpc(format!("route table and {id} belong to different networks")))
    }
}

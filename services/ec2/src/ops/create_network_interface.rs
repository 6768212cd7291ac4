//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkInterface.html>
//!
//! Other services create their interfaces here, too, as their service principals. Such an interface is requester-managed, and only
//! they may request the types `nat_gateway` and `network_load_balancer`.

use crate::{
    Error, addresses,
    choices::{InterfaceCreationType, ResourceType},
    error::Limit,
    rules, shapes,
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Group, GroupId, Interface, InterfaceId, InterfaceType, Subnet, SubnetId};

pub(crate) struct CreateNetworkInterface;

#[derive(Wire)]
pub(crate) struct Input {
    subnet_id: SubnetId,
    groups: Vec<GroupId>,
    private_ip_address: Option<String>,
    private_ip_addresses: Vec<PrivateAddressSpecification>,
    description: Option<String>,
    interface_type: Option<InterfaceCreationType>,
    client_token: Option<String>,
    tag_specifications: Vec<shapes::TagSpecification>,
}

#[derive(Wire)]
pub(crate) struct PrivateAddressSpecification {
    private_ip_address: Option<String>,
    primary: Option<bool>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) network_interface: shapes::interface::InterfaceShape,
    pub(crate) client_token: Option<String>,
}

impl Operation for CreateNetworkInterface {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![
            cx.arn("ec2", format!("subnet/{}", input.subnet_id)).to_string(),
            cx.arn("ec2", "network-interface/*").to_string(),
        ]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let subnet = rules::find::<Subnet>(cx, input.subnet_id.as_str())?;
        let requester = rules::service(cx);
        let interface_type = match input.interface_type {
            None | Some(InterfaceCreationType::Interface) => InterfaceType::Interface,
            Some(InterfaceCreationType::NatGateway) if requester.is_some() => InterfaceType::NatGateway,
            Some(InterfaceCreationType::NetworkLoadBalancer) if requester.is_some() => {
                InterfaceType::NetworkLoadBalancer
            }
            Some(kind) => {
                return Err(rules::refuse_with_hint(
                    format_args!("InterfaceType={kind}"),
                    "Use InterfaceType=interface.",
                ));
            }
        };
        // A NAT gateway's interface has no security groups on AWS, either.
        let groups = match interface_type {
            InterfaceType::NatGateway => Vec::new(),
            InterfaceType::NetworkLoadBalancer if input.groups.is_empty() => Vec::new(),
            InterfaceType::Interface | InterfaceType::NetworkLoadBalancer => {
                groups(cx, &subnet, input.groups)?
            }
        };
        let requested = requested_address(input.private_ip_address, input.private_ip_addresses)?;
        let interface = Interface {
            id: InterfaceId::random(),
            vpc: subnet.vpc.clone(),
            subnet: subnet.id.clone(),
            zone: subnet.zone.clone(),
            private_ip: addresses::private(cx.tx, &subnet, requested)?,
            auto_public_ip: None,
            groups,
            // A NAT gateway forwards packets of other addresses, which the check would drop.
            source_dest_check: interface_type != InterfaceType::NatGateway,
            description: input.description.unwrap_or_default(),
            interface_type,
            requester,
            tags: shapes::tags_for(&input.tag_specifications, ResourceType::NetworkInterface)?,
            created: cx.now,
        };
        cx.tx.put(interface.clone());
        let network_interface = shapes::interface::interface(cx, &interface);
        Ok(Output { network_interface, client_token: input.client_token })
    }
}

/// The requested groups, which must belong to this VPC; without a request, the VPC's default group.
pub(super) fn groups(cx: &Cx<'_>, subnet: &Subnet, requested: Vec<GroupId>) -> Result<Vec<GroupId>, Error> {
    if requested.is_empty() {
        let default = cx.tx.scan::<Group>().find(|g| g.vpc == subnet.vpc && g.name == "default");
        return Ok(default.iter().map(|g| g.id.clone()).collect());
    }
    let max = Limit::GroupsPerInterface.max();
    if requested.len() > max {
        let why =
            format!("You have exceeded the maximum number of security groups per network interface: {max}");
        return Err(Error::TooMany(Limit::GroupsPerInterface, why));
    }
    let mut groups: Vec<GroupId> = Vec::new();
    for id in requested {
        let group = rules::find::<Group>(cx, id.as_str())?;
        if group.vpc != subnet.vpc {
            return Err(Error::WrongVpc(format!(
                "You have specified two resources that belong to different networks: {id} and {}",
                subnet.id
            )));
        }
        if !groups.contains(&id) {
            groups.push(id);
        }
    }
    Ok(groups)
}

fn requested_address(
    one: Option<String>,
    list: Vec<PrivateAddressSpecification>,
) -> Result<Option<std::net::Ipv4Addr>, Error> {
    if list.len() > 1 || list.iter().any(|a| a.primary == Some(false)) {
        return Err(rules::refuse_with_hint(
            "More than one private address of an interface (PrivateIpAddresses)",
            "Create a second interface.",
        ));
    }
    let listed = list.into_iter().find_map(|a| a.private_ip_address);
    let text = match (one, listed) {
        (Some(_), Some(_)) => {
            let why =
                "Specify the primary address in privateIpAddress or in privateIpAddresses, not in both.";
            return Err(Error::Combination(why.into()));
        }
        (one, listed) => one.or(listed),
    };
    let parse = |t: String| {
        t.parse().map_err(|_| Error::invalid("privateIpAddress", t, "This is not an IPv4 address."))
    };
    text.map(parse).transpose()
}

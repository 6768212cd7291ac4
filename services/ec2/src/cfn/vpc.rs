//! VPC, Subnet, NetworkInterface.

use super::tags;
use crate::{
    choices,
    ops::{
        create_network_interface::CreateNetworkInterface, create_subnet::CreateSubnet, create_vpc::CreateVpc,
        delete_network_interface::DeleteNetworkInterface, delete_subnet::DeleteSubnet, delete_vpc::DeleteVpc,
        modify_network_interface_attribute::ModifyNetworkInterfaceAttribute,
        modify_subnet_attribute::ModifySubnetAttribute, modify_vpc_attribute::ModifyVpcAttribute,
    },
    shapes::{self, Flag},
    status::{self, InterfaceStatus, VpcState},
};
use escale_base::AwsError;
use escale_service::{Created, Cx, InputDraft, Props, Readiness, ResourceType};
use escale_store::Image;
use escale_tables::ec2::{Group, Interface, InterfaceSeen, Vpc, VpcId, VpcSeen, VpcTold};
use serde_json::json;

pub(super) const TYPES: &[ResourceType] = &[
    ResourceType::new(
        "AWS::EC2::VPC",
        &["CidrBlock", "EnableDnsHostnames", "EnableDnsSupport", "InstanceTenancy", "Tags"],
        vpc,
        |cx, c| c.delete_by::<DeleteVpc>(cx, "VpcId"),
    )
    .ready(vpc_ready)
    .gone(vpc_gone),
    ResourceType::new(
        "AWS::EC2::Subnet",
        &["AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "MapPublicIpOnLaunch", "Tags", "VpcId"],
        subnet,
        |cx, c| c.delete_by::<DeleteSubnet>(cx, "SubnetId"),
    ),
    ResourceType::new(
        "AWS::EC2::NetworkInterface",
        &[
            "Description",
            "GroupSet",
            "InterfaceType",
            "PrivateIpAddress",
            "SourceDestCheck",
            "SubnetId",
            "Tags",
        ],
        interface,
        |cx, c| c.delete_by::<DeleteNetworkInterface>(cx, "NetworkInterfaceId"),
    )
    .ready(interface_ready)
    .gone(|image, c| {
        if image.has::<InterfaceSeen>(&c.physical_id) {
            Readiness::Pending("the network interface is being deleted".into())
        } else {
            Readiness::ready()
        }
    }),
];

fn flag(value: bool) -> Flag {
    Flag { value: Some(value) }
}

fn vpc(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    props.text("CidrBlock")?;
    let input = props.input::<CreateVpc>(&["CidrBlock", "InstanceTenancy"]);
    let vpc = input.with("TagSpecifications", &tags(props, choices::ResourceType::Vpc)?).call(cx)?.vpc;
    // ModifyVpcAttribute takes one attribute per call.
    for name in ["EnableDnsSupport", "EnableDnsHostnames"] {
        if let Some(value) = props.bool(name) {
            let input = InputDraft::<ModifyVpcAttribute>::new().with("VpcId", &vpc.vpc_id);
            input.with(name, &flag(value)).call(cx)?;
        }
    }
    let group = cx.tx.scan::<Group>().find(|g| g.vpc == vpc.vpc_id && g.name == "default");
    let associations = vpc.cidr_block_association_set.iter().map(|a| a.association_id.as_str());
    Ok(Created::new(vpc.vpc_id.as_str())
        .with("VpcId", vpc.vpc_id.as_str())
        .with("CidrBlock", vpc.cidr_block.as_str())
        .with("CidrBlockAssociations", associations.collect::<Vec<_>>())
        .with("DefaultSecurityGroup", group.ok_or_else(AwsError::internal)?.id.as_str())
        .with("DefaultNetworkAcl", shapes::vpc::acl_id(&vpc.vpc_id))
        .with("Ipv6CidrBlocks", json!([])))
}

fn vpc_ready(image: &Image, created: &Created) -> Readiness {
    match status::vpc(image, &VpcId(created.physical_id.clone())) {
        VpcState::Available => Readiness::ready(),
        VpcState::Pending => Readiness::Pending("the VPC's network is being created".into()),
    }
}

fn vpc_gone(image: &Image, created: &Created) -> Readiness {
    let id = &created.physical_id;
    if image.has::<Vpc>(id) || image.has::<VpcSeen>(id) || image.has::<VpcTold>(id) {
        Readiness::Pending("the VPC's network is being deleted".into())
    } else {
        Readiness::ready()
    }
}

fn subnet(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let names = ["AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "VpcId"];
    let input = props
        .input::<CreateSubnet>(&names)
        .with("TagSpecifications", &tags(props, choices::ResourceType::Subnet)?);
    let subnet = input.call(cx)?.subnet;
    let id = subnet.subnet_id.as_str();
    // CreateSubnet does not have this parameter.
    if let Some(value) = props.bool("MapPublicIpOnLaunch") {
        let input = InputDraft::<ModifySubnetAttribute>::new().with("SubnetId", &subnet.subnet_id);
        input.with("MapPublicIpOnLaunch", &flag(value)).call(cx)?;
    }
    Ok(Created::new(id)
        .with("SubnetId", id)
        .with("NetworkAclAssociationId", id.replacen("subnet-", "aclassoc-", 1))
        .with("Ipv6CidrBlocks", json!([]))
        .with("AvailabilityZone", subnet.availability_zone)
        .with("AvailabilityZoneId", subnet.availability_zone_id)
        .with("CidrBlock", subnet.cidr_block)
        .with("VpcId", subnet.vpc_id.as_str()))
}

fn interface(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let names = ["Description", "GroupSet", "InterfaceType", "PrivateIpAddress", "SubnetId"];
    let input = props.input::<CreateNetworkInterface>(&names).renamed(&[("GroupSet", "Groups")]);
    let output = input
        .with("TagSpecifications", &tags(props, choices::ResourceType::NetworkInterface)?)
        .call(cx)?
        .network_interface;
    let id = output.network_interface_id.as_str();
    // CreateNetworkInterface does not have this parameter.
    if let Some(value) = props.bool("SourceDestCheck") {
        let input = InputDraft::<ModifyNetworkInterfaceAttribute>::new();
        let input = input.with("NetworkInterfaceId", &output.network_interface_id);
        input.with("SourceDestCheck", &flag(value)).call(cx)?;
    }
    Ok(Created::new(id)
        .with("Id", id)
        .with("PrimaryPrivateIpAddress", output.private_ip_address)
        .with("SecondaryPrivateIpAddresses", json!([]))
        .with("VpcId", output.vpc_id.as_str()))
}

fn interface_ready(image: &Image, created: &Created) -> Readiness {
    match image.get::<Interface>(&created.physical_id) {
        None => Readiness::Failed(format!("The network interface {} was deleted", created.physical_id)),
        Some(row) if status::interface(image, &row) == InterfaceStatus::Pending => {
            Readiness::Pending("the network interface is being created".into())
        }
        Some(_) => Readiness::ready(),
    }
}

//! VPC, Subnet, NetworkInterface.

use super::{Input, at_once, text};
use crate::{
    shapes,
    status::{self, InterfaceStatus, VpcState},
};
use escale_base::{AwsError, already_gone};
use escale_service::{Created, Cx, Props, Readiness, ResourceType};
use escale_store::Image;
use escale_tables::ec2::{Group, Interface, InterfaceSeen, Vpc, VpcId, VpcSeen, VpcTold};
use serde_json::json;

pub(super) const TYPES: &[ResourceType] = &[
    ResourceType {
        name: "AWS::EC2::VPC",
        properties: &["CidrBlock", "EnableDnsHostnames", "EnableDnsSupport", "InstanceTenancy", "Tags"],
        create: vpc,
        ready: vpc_ready,
        delete: |cx, c| {
            already_gone(Input::new().with("VpcId", c.physical_id.as_str()).call(cx, "DeleteVpc"))
        },
        gone: vpc_gone,
    },
    ResourceType {
        name: "AWS::EC2::Subnet",
        properties: &[
            "AvailabilityZone",
            "AvailabilityZoneId",
            "CidrBlock",
            "MapPublicIpOnLaunch",
            "Tags",
            "VpcId",
        ],
        create: subnet,
        ready: at_once,
        delete: |cx, c| {
            already_gone(Input::new().with("SubnetId", c.physical_id.as_str()).call(cx, "DeleteSubnet"))
        },
        gone: at_once,
    },
    ResourceType {
        name: "AWS::EC2::NetworkInterface",
        properties: &[
            "Description",
            "GroupSet",
            "InterfaceType",
            "PrivateIpAddress",
            "SourceDestCheck",
            "SubnetId",
            "Tags",
        ],
        create: interface,
        ready: interface_ready,
        delete: |cx, c| {
            let input = Input::new().with("NetworkInterfaceId", c.physical_id.as_str());
            already_gone(input.call(cx, "DeleteNetworkInterface"))
        },
        gone: |image, c| match image.has::<InterfaceSeen>(&c.physical_id) {
            true => Readiness::Pending("the interface still stands".into()),
            false => Readiness::ready(),
        },
    },
];

fn vpc(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    props.required("CidrBlock")?;
    let input = Input::new().texts(props, &["CidrBlock", "InstanceTenancy"]).tags(props, "vpc");
    let made = input.call(cx, "CreateVpc")?;
    let id = text(&made, "/Vpc/VpcId");
    for name in ["EnableDnsSupport", "EnableDnsHostnames"] {
        if let Some(value) = props.bool(name) {
            let input = Input::new().with("VpcId", id.as_str()).with(name, json!({"Value": value}));
            input.call(cx, "ModifyVpcAttribute")?;
        }
    }
    let group = cx.tx.scan::<Group>().find(|g| g.vpc == *id.as_str() && g.name == "default");
    let associations = made.pointer("/Vpc/CidrBlockAssociationSet/0/AssociationId");
    Ok(Created::new(id.as_str())
        .with("VpcId", id.as_str())
        .with("CidrBlock", text(&made, "/Vpc/CidrBlock"))
        .with("CidrBlockAssociations", json!([associations]))
        .with("DefaultSecurityGroup", group.map(|g| g.id.to_string()).unwrap_or_default())
        .with("DefaultNetworkAcl", shapes::vpc::acl_id(&VpcId(id.clone())))
        .with("Ipv6CidrBlocks", json!([])))
}

fn vpc_ready(image: &Image, created: &Created) -> Readiness {
    match status::vpc(image, &VpcId(created.physical_id.clone())) {
        VpcState::Available => Readiness::ready(),
        VpcState::Pending => Readiness::Pending("the network is being made".into()),
    }
}

fn vpc_gone(image: &Image, created: &Created) -> Readiness {
    let id = &created.physical_id;
    match image.has::<Vpc>(id) || image.has::<VpcSeen>(id) || image.has::<VpcTold>(id) {
        true => Readiness::Pending("the network still stands".into()),
        false => Readiness::ready(),
    }
}

fn subnet(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let names = ["AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "VpcId"];
    let made = Input::new().texts(props, &names).tags(props, "subnet").call(cx, "CreateSubnet")?;
    let id = text(&made, "/Subnet/SubnetId");
    if let Some(value) = props.bool("MapPublicIpOnLaunch") {
        let input = Input::new().with("SubnetId", id.as_str());
        input.with("MapPublicIpOnLaunch", json!({"Value": value})).call(cx, "ModifySubnetAttribute")?;
    }
    let created = Created::new(id.as_str())
        .with("SubnetId", id.as_str())
        .with("NetworkAclAssociationId", id.replacen("subnet-", "aclassoc-", 1))
        .with("Ipv6CidrBlocks", json!([]));
    let attributes = ["AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "VpcId"];
    Ok(attributes.iter().fold(created, |c, a| c.with(a, text(&made, &format!("/Subnet/{a}")))))
}

fn interface(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let names = ["Description", "InterfaceType", "PrivateIpAddress", "SubnetId"];
    let mut input = Input::new().texts(props, &names).tags(props, "network-interface");
    if let Some(groups) = props.get("GroupSet") {
        input = input.with("Groups", groups.clone());
    }
    let made = input.call(cx, "CreateNetworkInterface")?;
    let id = text(&made, "/NetworkInterface/NetworkInterfaceId");
    if let Some(value) = props.bool("SourceDestCheck") {
        let input = Input::new().with("NetworkInterfaceId", id.as_str());
        input.with("SourceDestCheck", json!({"Value": value})).call(cx, "ModifyNetworkInterfaceAttribute")?;
    }
    Ok(Created::new(id.as_str())
        .with("Id", id.as_str())
        .with("PrimaryPrivateIpAddress", text(&made, "/NetworkInterface/PrivateIpAddress"))
        .with("SecondaryPrivateIpAddresses", json!([]))
        .with("VpcId", text(&made, "/NetworkInterface/VpcId")))
}

fn interface_ready(image: &Image, created: &Created) -> Readiness {
    match image.get::<Interface>(&created.physical_id) {
        None => Readiness::Failed(format!("The network interface {} was deleted", created.physical_id)),
        Some(row) if status::interface(image, &row) == InterfaceStatus::Pending => {
            Readiness::Pending("the interface is being made".into())
        }
        Some(_) => Readiness::ready(),
    }
}

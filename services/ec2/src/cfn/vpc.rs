//! VPC, Subnet, NetworkInterface.

use super::{describe, flag, shown, tags, update_tags};
use crate::{
    acls, choices, ipv6,
    ops::{
        associate_subnet_cidr_block::AssociateSubnetCidrBlock,
        create_network_interface::CreateNetworkInterface, create_subnet::CreateSubnet, create_vpc::CreateVpc,
        delete_network_interface::DeleteNetworkInterface, delete_subnet::DeleteSubnet, delete_vpc::DeleteVpc,
        describe_network_interfaces::DescribeNetworkInterfaces, describe_subnets::DescribeSubnets,
        describe_vpc_attribute::DescribeVpcAttribute, describe_vpcs::DescribeVpcs,
        disassociate_subnet_cidr_block::DisassociateSubnetCidrBlock,
        modify_network_interface_attribute::ModifyNetworkInterfaceAttribute,
        modify_subnet_attribute::ModifySubnetAttribute, modify_vpc_attribute::ModifyVpcAttribute,
    },
    shapes::{Flag, Text},
    status::{self, InterfaceStatus, VpcState},
};
use escale_base::{
    AwsError,
    wire::{Map, Value},
};
use escale_service::{Created, Cx, InputDraft, PropertyChange, Props, Readiness, ResourceType, Update};
use escale_store::Image;
use escale_tables::ec2::{Group, GroupId, Interface, InterfaceSeen, Vpc, VpcId, VpcSeen, VpcTold};
use serde_json::json;

pub(super) const TYPES: &[ResourceType] = &[
    ResourceType::new(
        "AWS::EC2::VPC",
        &["CidrBlock", "EnableDnsHostnames", "EnableDnsSupport", "InstanceTenancy", "Tags"],
        vpc,
        |cx, c| c.delete_by::<DeleteVpc>(cx, "VpcId"),
    )
    .update(update_vpc)
    .read(read_vpc)
    .replaces_if(tenancy_replaces)
    .current(|image, c, attribute| {
        let block = || ipv6::of_vpc(image, &c.physical_id.as_str().into());
        (attribute == "Ipv6CidrBlocks").then(|| block().iter().map(|b| json!(b.cidr.to_string())).collect())
    })
    .ready(vpc_ready)
    .gone(vpc_gone),
    ResourceType::new(
        "AWS::EC2::Subnet",
        &[
            "AssignIpv6AddressOnCreation",
            "AvailabilityZone",
            "AvailabilityZoneId",
            "CidrBlock",
            "Ipv6CidrBlock",
            "MapPublicIpOnLaunch",
            "Tags",
            "VpcId",
        ],
        subnet,
        |cx, c| c.delete_by::<DeleteSubnet>(cx, "SubnetId"),
    )
    .update(update_subnet)
    .read(read_subnet)
    .normalize(|properties| normalize_block(properties, "CidrBlock"))
    .current(|image, c, attribute| {
        let block = || ipv6::of_subnet(image, &c.physical_id.as_str().into());
        match attribute {
            "Ipv6CidrBlocks" => Some(block().iter().map(|b| json!(b.cidr.to_string())).collect()),
            // AWS has every property of a subnet as an attribute, although its documentation lists only the others.
            // Source: cfn-lint's `_getatts.py`
            "Ipv6CidrBlock" => block().map(|b| b.cidr.to_string().into()),
            _ => None,
        }
    }),
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
    .update(update_interface)
    .read(read_interface)
    .ready(interface_ready)
    .gone(|image, c| {
        if image.has::<InterfaceSeen>(&c.physical_id) {
            Readiness::Pending("the network interface is being deleted".into())
        } else {
            Readiness::ready()
        }
    }),
];

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
        .with("DefaultNetworkAcl", acls::default_id(&vpc.vpc_id).as_str())
        .with("Ipv6CidrBlocks", json!([])))
}

/// The DNS attributes of a VPC with AWS's defaults.
const DNS: [(&str, bool); 2] = [("EnableDnsSupport", true), ("EnableDnsHostnames", false)];

fn update_vpc(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let id = &update.created.physical_id;
    // ModifyVpcAttribute takes one attribute per call.
    for (name, default) in DNS.into_iter().filter(|(name, _)| update.changed(name)) {
        let value = flag(update.after.bool(name).unwrap_or(default));
        InputDraft::<ModifyVpcAttribute>::new().with("VpcId", id).with(name, &value).call(cx)?;
    }
    // A change of the tenancy that replaces nothing is one to `default`, which every VPC has here.
    update_tags(cx, id, update)?;
    Ok(update.created.clone())
}

/// AWS can change the tenancy of a VPC from `dedicated` to `default` only.
/// Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-vpc.html>
fn tenancy_replaces(change: &PropertyChange<'_>) -> bool {
    let tenancy = change.after.get("InstanceTenancy").filter(|_| change.property == "InstanceTenancy");
    tenancy.is_some_and(|tenancy| *tenancy != choices::Tenancy::Default.as_str())
}

fn read_vpc(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let id = &created.physical_id;
    let answer = describe::<DescribeVpcs>(cx, "VpcIds", id)?;
    let Some(vpc) = answer.and_then(|a| a.vpcs.into_iter().next()) else { return Ok(None) };
    let mut properties = shown("AWS::EC2::VPC", &vpc, &vpc.tags);
    for (name, attribute) in DNS.map(|(name, _)| (name, name.replacen('E', "e", 1))) {
        let input = InputDraft::<DescribeVpcAttribute>::new().with("VpcId", id).with("Attribute", &attribute);
        let answer = input.call(cx)?;
        let value = answer.enable_dns_support.or(answer.enable_dns_hostnames);
        properties.extend(Flag::requested(&value).map(|value| (name.to_owned(), value.into())));
    }
    Ok(Some(properties))
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
    let names = ["AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "Ipv6CidrBlock", "VpcId"];
    let input = props
        .input::<CreateSubnet>(&names)
        .with("TagSpecifications", &tags(props, choices::ResourceType::Subnet)?);
    let subnet = input.call(cx)?.subnet;
    let id = subnet.subnet_id.as_str();
    // CreateSubnet does not have these parameters.
    for name in FLAGS {
        if let Some(value) = props.bool(name) {
            let input = InputDraft::<ModifySubnetAttribute>::new().with("SubnetId", &subnet.subnet_id);
            input.with(name, &flag(value)).call(cx)?;
        }
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

/// Of ModifySubnetAttribute, which takes one attribute per call.
const FLAGS: [&str; 2] = ["AssignIpv6AddressOnCreation", "MapPublicIpOnLaunch"];

fn update_subnet(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let id = &update.created.physical_id;
    let ipv6_changes = update.changed("Ipv6CidrBlock");
    if ipv6_changes && let Some(block) = ipv6::of_subnet(cx.tx, &id.as_str().into()) {
        InputDraft::<DisassociateSubnetCidrBlock>::new().with("AssociationId", &block.id).call(cx)?;
    }
    if ipv6_changes && let Some(cidr) = update.after.str("Ipv6CidrBlock") {
        let input = InputDraft::<AssociateSubnetCidrBlock>::new().with("SubnetId", id);
        input.with("Ipv6CidrBlock", &cidr.to_owned()).call(cx)?;
    }
    // A new block has the default of the flag.
    let is_new = |name: &str| ipv6_changes && name == "AssignIpv6AddressOnCreation";
    for name in FLAGS.into_iter().filter(|name| update.changed(name) || is_new(name)) {
        let value = flag(update.after.bool(name).unwrap_or(false));
        let input = InputDraft::<ModifySubnetAttribute>::new().with("SubnetId", id);
        input.with(name, &value).call(cx)?;
    }
    update_tags(cx, id, update)?;
    Ok(update.created.clone())
}

fn read_subnet(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let answer = describe::<DescribeSubnets>(cx, "SubnetIds", &created.physical_id)?;
    let subnet = answer.and_then(|a| a.subnets.into_iter().next());
    Ok(subnet.map(|subnet| {
        let mut properties = shown("AWS::EC2::Subnet", &subnet, &subnet.tags);
        let block = subnet.ipv6_cidr_block_association_set.first();
        properties.extend(block.map(|b| ("Ipv6CidrBlock".to_owned(), b.ipv6_cidr_block.as_str().into())));
        properties
    }))
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

fn update_interface(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let id = &update.created.physical_id;
    // One attribute per call.
    let change = || InputDraft::<ModifyNetworkInterfaceAttribute>::new().with("NetworkInterfaceId", id);
    if update.changed("Description") {
        let value = Some(update.after.str("Description").unwrap_or_default().to_owned());
        change().with("Description", &Text { value }).call(cx)?;
    }
    if update.changed("GroupSet") {
        let mut groups: Vec<GroupId> = update.after.read("GroupSet")?;
        if groups.is_empty() {
            // Without the property, an interface has the VPC's default group.
            let vpc = crate::rules::find::<Interface>(cx, id)?.vpc.clone();
            let default = cx.tx.scan::<Group>().find(|g| g.vpc == vpc && g.name == "default");
            groups.extend(default.map(|g| g.id.clone()));
        }
        change().with("Groups", &groups).call(cx)?;
    }
    if update.changed("SourceDestCheck") {
        let value = flag(update.after.bool("SourceDestCheck").unwrap_or(true));
        change().with("SourceDestCheck", &value).call(cx)?;
    }
    update_tags(cx, id, update)?;
    Ok(update.created.clone())
}

fn read_interface(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let answer = describe::<DescribeNetworkInterfaces>(cx, "NetworkInterfaceIds", &created.physical_id)?;
    let interface = answer.and_then(|a| a.network_interfaces.into_iter().next());
    Ok(interface.map(|interface| {
        let mut properties = shown("AWS::EC2::NetworkInterface", &interface, &interface.tag_set);
        let groups: Vec<_> = interface.groups.iter().map(|group| group.group_id.as_str()).collect();
        properties.insert("GroupSet".into(), groups.into());
        properties
    }))
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

/// A block without its host bits, as EC2 stores it: `10.10.2.0/20` is `10.10.0.0/20`.
fn normalize_block(properties: &mut Map<String, Value>, name: &'static str) {
    let block =
        properties.get(name).and_then(Value::as_str).and_then(|text| crate::rules::cidr(name, text).ok());
    if let Some(block) = block {
        properties.insert(name.into(), block.to_string().into());
    }
}

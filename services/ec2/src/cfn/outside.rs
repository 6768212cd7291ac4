//! Access to the Internet: InternetGateway, VPCGatewayAttachment, EIP, EIPAssociation, NatGateway.

use super::tags;
use crate::{
    choices,
    ops::{
        allocate_address::AllocateAddress, associate_address::AssociateAddress,
        attach_internet_gateway::AttachInternetGateway, create_internet_gateway::CreateInternetGateway,
        create_nat_gateway::CreateNatGateway, delete_internet_gateway::DeleteInternetGateway,
        delete_nat_gateway::DeleteNatGateway, detach_internet_gateway::DetachInternetGateway,
        disassociate_address::DisassociateAddress, release_address::ReleaseAddress,
    },
    shapes::gateway,
    status::{self, NatState},
};
use escale_base::{AwsError, already_gone};
use escale_service::{Created, Cx, InputDraft, Props, Readiness, ResourceType};
use escale_store::Image;
use escale_tables::ec2::{InternetGateway, NatGateway};

pub(super) const TYPES: &[ResourceType] = &[
    ResourceType::new(
        "AWS::EC2::InternetGateway",
        &["Tags"],
        |cx, props| {
            let tags = tags(props, choices::ResourceType::InternetGateway)?;
            let input = InputDraft::<CreateInternetGateway>::new().with("TagSpecifications", &tags);
            let id = input.call(cx)?.internet_gateway.internet_gateway_id;
            Ok(Created::new(id.as_str()).with("InternetGatewayId", id.as_str()))
        },
        |cx, c| c.delete_by::<DeleteInternetGateway>(cx, "InternetGatewayId"),
    ),
    ResourceType::new(
        "AWS::EC2::VPCGatewayAttachment",
        &["InternetGatewayId", "VpcId"],
        |cx, props| {
            props.input::<AttachInternetGateway>(&["InternetGatewayId", "VpcId"]).call(cx)?;
            // AWS's form of the physical id. `detach` reads the VPC from it.
            Ok(Created::new(format!("IGW|{}", props.text("VpcId")?)).with("AttachmentType", "IGW"))
        },
        detach,
    ),
    ResourceType::new(
        "AWS::EC2::EIP",
        &["Domain", "NetworkBorderGroup", "Tags"],
        |cx, props| {
            let input = props.input::<AllocateAddress>(&["Domain", "NetworkBorderGroup"]);
            let output =
                input.with("TagSpecifications", &tags(props, choices::ResourceType::ElasticIp)?).call(cx)?;
            Ok(Created::new(output.public_ip.as_str())
                .with("PublicIp", output.public_ip)
                .with("AllocationId", output.allocation_id.as_str()))
        },
        |cx, c| {
            // As on AWS, the physical id is the public address, but ReleaseAddress needs the allocation id.
            let allocation = c.attribute("AllocationId")?.to_owned();
            already_gone(InputDraft::<ReleaseAddress>::new().with("AllocationId", &allocation).call(cx))
        },
    ),
    ResourceType::new(
        "AWS::EC2::EIPAssociation",
        &["AllocationId", "NetworkInterfaceId", "PrivateIpAddress"],
        |cx, props| {
            let names = ["AllocationId", "NetworkInterfaceId", "PrivateIpAddress"];
            let id = props.input::<AssociateAddress>(&names).call(cx)?.association_id;
            Ok(Created::new(id.as_str()).with("Id", id.as_str()))
        },
        |cx, c| c.delete_by::<DisassociateAddress>(cx, "AssociationId"),
    ),
    ResourceType::new(
        "AWS::EC2::NatGateway",
        &["AllocationId", "ConnectivityType", "PrivateIpAddress", "SubnetId", "Tags"],
        nat,
        |cx, c| c.delete_by::<DeleteNatGateway>(cx, "NatGatewayId"),
    )
    .ready(nat_ready)
    .gone(nat_gone),
];

fn detach(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let vpc = created.physical_id.trim_start_matches("IGW|");
    let gateway = cx.tx.scan::<InternetGateway>().find(|g| g.vpc.as_ref().is_some_and(|v| *v == *vpc));
    // A VPC without a gateway has nothing to detach: a user may have detached it already.
    let Some(gateway) = gateway else { return Ok(()) };
    let input = InputDraft::<DetachInternetGateway>::new().with("InternetGatewayId", &gateway.id);
    already_gone(input.with("VpcId", &vpc.to_owned()).call(cx))
}

fn nat(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let names = ["AllocationId", "ConnectivityType", "PrivateIpAddress", "SubnetId"];
    let input = props.input::<CreateNatGateway>(&names);
    let output = input
        .with("TagSpecifications", &tags(props, choices::ResourceType::Natgateway)?)
        .call(cx)?
        .nat_gateway;
    let interface =
        output.nat_gateway_addresses.first().and_then(|address| address.network_interface_id.as_deref());
    let created =
        Created::new(output.nat_gateway_id.as_str()).with("NatGatewayId", output.nat_gateway_id.as_str());
    Ok(match interface {
        Some(interface) => created.with("EniId", interface),
        None => created,
    })
}

fn nat_ready(image: &Image, created: &Created) -> Readiness {
    let row = image.get::<NatGateway>(&created.physical_id);
    // The row of a deleted gateway stays for an hour, because AWS shows it that long.
    let row = row.filter(|row| row.deleted.is_none());
    let Some(row) = row else {
        return Readiness::Failed(format!("The NAT gateway {} was deleted", created.physical_id));
    };
    match row.failure {
        Some(failure) => Readiness::Failed(format!(
            "NatGateway {} is in state failed and hence failed to stabilize. Detailed failure message: {}",
            row.id,
            gateway::failure_message(&row, failure)
        )),
        None if status::nat(image, &row) == NatState::Available => Readiness::ready(),
        None => Readiness::Pending("the NAT gateway is being created".into()),
    }
}

fn nat_gone(image: &Image, created: &Created) -> Readiness {
    match image.get::<NatGateway>(&created.physical_id) {
        Some(row) if status::nat(image, &row) != NatState::Deleted => {
            Readiness::Pending("the NAT gateway is being deleted".into())
        }
        _ => Readiness::ready(),
    }
}

//! Access to the Internet: InternetGateway, VPCGatewayAttachment, EIP, EIPAssociation, NatGateway.

use super::{describe, only_tags, shown, tags, update_tags};
use crate::{
    choices,
    ops::{
        allocate_address::{self, AllocateAddress},
        associate_address::AssociateAddress,
        attach_internet_gateway::AttachInternetGateway,
        create_internet_gateway::CreateInternetGateway,
        create_nat_gateway::CreateNatGateway,
        delete_internet_gateway::DeleteInternetGateway,
        delete_nat_gateway::DeleteNatGateway,
        describe_addresses::DescribeAddresses,
        describe_internet_gateways::DescribeInternetGateways,
        describe_nat_gateways::DescribeNatGateways,
        detach_internet_gateway::DetachInternetGateway,
        disassociate_address::DisassociateAddress,
        release_address::ReleaseAddress,
    },
    shapes::gateway,
    status::{self, NatState},
};
use escale_base::{
    AwsError, already_gone,
    wire::{Map, Value},
};
use escale_service::{Created, Cx, InputDraft, Props, Readiness, ResourceType, properties_of};
use escale_store::Image;
use escale_tables::ec2::{InternetGateway, NatGateway};
use serde_json::json;

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
    )
    .update(only_tags)
    .read(|cx, c| {
        let answer = describe::<DescribeInternetGateways>(cx, "InternetGatewayIds", &c.physical_id)?;
        let gateway = answer.and_then(|a| a.internet_gateways.into_iter().next());
        Ok(gateway.map(|gateway| shown("AWS::EC2::InternetGateway", &gateway, &gateway.tags)))
    }),
    ResourceType::new(
        "AWS::EC2::VPCGatewayAttachment",
        &["InternetGatewayId", "VpcId"],
        |cx, props| {
            props.input::<AttachInternetGateway>(&["InternetGatewayId", "VpcId"]).call(cx)?;
            // AWS's form of the physical id. `detach` reads the VPC from it.
            Ok(Created::new(format!("IGW|{}", props.text("VpcId")?)).with("AttachmentType", "IGW"))
        },
        detach,
    )
    .update(|cx, update| {
        // A VPC has one Internet gateway.
        detach(cx, update.created)?;
        update.after.input::<AttachInternetGateway>(&["InternetGatewayId", "VpcId"]).call(cx)?;
        Ok(update.created.clone())
    })
    .read(read_attachment),
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
    )
    .update(|cx, update| {
        if update.changed("Domain") {
            allocate_address::supported_domain(update.after.read("Domain")?)?;
        }
        update_tags(cx, update.created.attribute("AllocationId")?, update)?;
        Ok(update.created.clone())
    })
    .read(|cx, c| {
        let answer = describe::<DescribeAddresses>(cx, "AllocationIds", c.attribute("AllocationId")?)?;
        let address = answer.and_then(|a| a.addresses.into_iter().next());
        Ok(address.map(|address| shown("AWS::EC2::EIP", &address, &address.tags)))
    }),
    ResourceType::new(
        "AWS::EC2::EIPAssociation",
        &["AllocationId", "NetworkInterfaceId", "PrivateIpAddress"],
        |cx, props| {
            let names = ["AllocationId", "NetworkInterfaceId", "PrivateIpAddress"];
            let id = props.input::<AssociateAddress>(&names).call(cx)?.association_id;
            Ok(Created::new(id.as_str()).with("Id", id.as_str()))
        },
        |cx, c| c.delete_by::<DisassociateAddress>(cx, "AssociationId"),
    )
    .read(|cx, c| {
        let filter = json!([{"Name": "association-id", "Values": [c.physical_id]}]);
        let answer = InputDraft::<DescribeAddresses>::new().with("Filters", &filter).call(cx)?;
        Ok(answer.addresses.first().map(|a| properties_of("AWS::EC2::EIPAssociation", a, &[])))
    }),
    ResourceType::new(
        "AWS::EC2::NatGateway",
        &["AllocationId", "ConnectivityType", "PrivateIpAddress", "SubnetId", "Tags"],
        nat,
        |cx, c| c.delete_by::<DeleteNatGateway>(cx, "NatGatewayId"),
    )
    .update(only_tags)
    .read(read_nat)
    .ready(nat_ready)
    .gone(nat_gone),
];

fn read_attachment(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let vpc = created.physical_id.trim_start_matches("IGW|");
    let filter = json!([{"Name": "attachment.vpc-id", "Values": [vpc]}]);
    let answer = InputDraft::<DescribeInternetGateways>::new().with("Filters", &filter).call(cx)?;
    let properties = answer.internet_gateways.first().map(|gateway| {
        let mut properties = properties_of("AWS::EC2::VPCGatewayAttachment", gateway, &[]);
        properties.insert("VpcId".into(), vpc.into());
        properties
    });
    Ok(properties)
}

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

fn read_nat(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let answer = describe::<DescribeNatGateways>(cx, "NatGatewayIds", &created.physical_id)?;
    let gateway = answer.and_then(|a| a.nat_gateways.into_iter().next());
    // A deleted gateway is shown for an hour.
    let gateway = gateway.filter(|g| !matches!(g.state, NatState::Deleting | NatState::Deleted));
    Ok(gateway.map(|gateway| {
        let mut properties = shown("AWS::EC2::NatGateway", &gateway, &gateway.tags);
        if let Some(address) = gateway.nat_gateway_addresses.iter().find(|a| a.is_primary) {
            properties.insert("AllocationId".into(), address.allocation_id.as_str().into());
            let private = address.private_ip.as_deref();
            properties.extend(private.map(|ip| ("PrivateIpAddress".to_owned(), ip.into())));
        }
        properties
    }))
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

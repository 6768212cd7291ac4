//! What leads outside: InternetGateway, VPCGatewayAttachment, EIP, EIPAssociation, NatGateway.

use super::{Input, at_once, text};
use crate::{
    shapes::gateway,
    status::{self, NatState},
};
use escale_base::{AwsError, already_gone};
use escale_service::{Created, Cx, Props, Readiness, ResourceType};
use escale_store::Image;
use escale_tables::ec2::{InternetGateway, NatGateway};

pub(super) const TYPES: &[ResourceType] = &[
    ResourceType {
        name: "AWS::EC2::InternetGateway",
        properties: &["Tags"],
        create: |cx, props| {
            let made = Input::new().tags(props, "internet-gateway").call(cx, "CreateInternetGateway")?;
            let id = text(&made, "/InternetGateway/InternetGatewayId");
            Ok(Created::new(id.as_str()).with("InternetGatewayId", id))
        },
        ready: at_once,
        delete: |cx, c| {
            let input = Input::new().with("InternetGatewayId", c.physical_id.as_str());
            already_gone(input.call(cx, "DeleteInternetGateway"))
        },
        gone: at_once,
    },
    ResourceType {
        name: "AWS::EC2::VPCGatewayAttachment",
        properties: &["InternetGatewayId", "VpcId"],
        create: |cx, props| {
            Input::new().texts(props, &["InternetGatewayId", "VpcId"]).call(cx, "AttachInternetGateway")?;
            let vpc = props.str("VpcId").unwrap_or("");
            Ok(Created::new(format!("IGW|{vpc}")).with("AttachmentType", "IGW"))
        },
        ready: at_once,
        delete: detach,
        gone: at_once,
    },
    ResourceType {
        name: "AWS::EC2::EIP",
        properties: &["Domain", "NetworkBorderGroup", "Tags"],
        create: |cx, props| {
            let input = Input::new().texts(props, &["Domain", "NetworkBorderGroup"]);
            let made = input.tags(props, "elastic-ip").call(cx, "AllocateAddress")?;
            let ip = text(&made, "/PublicIp");
            Ok(Created::new(ip.as_str())
                .with("PublicIp", ip)
                .with("AllocationId", text(&made, "/AllocationId")))
        },
        ready: at_once,
        delete: |cx, c| {
            let input = Input::new().with("AllocationId", c.attribute("AllocationId"));
            already_gone(input.call(cx, "ReleaseAddress"))
        },
        gone: at_once,
    },
    ResourceType {
        name: "AWS::EC2::EIPAssociation",
        properties: &["AllocationId", "NetworkInterfaceId", "PrivateIpAddress"],
        create: |cx, props| {
            let names = ["AllocationId", "NetworkInterfaceId", "PrivateIpAddress"];
            let made = Input::new().texts(props, &names).call(cx, "AssociateAddress")?;
            let id = text(&made, "/AssociationId");
            Ok(Created::new(id.as_str()).with("Id", id))
        },
        ready: at_once,
        delete: |cx, c| {
            let input = Input::new().with("AssociationId", c.physical_id.as_str());
            already_gone(input.call(cx, "DisassociateAddress"))
        },
        gone: at_once,
    },
    ResourceType {
        name: "AWS::EC2::NatGateway",
        properties: &["AllocationId", "ConnectivityType", "PrivateIpAddress", "SubnetId", "Tags"],
        create: nat,
        ready: nat_ready,
        delete: |cx, c| {
            let input = Input::new().with("NatGatewayId", c.physical_id.as_str());
            already_gone(input.call(cx, "DeleteNatGateway"))
        },
        gone: nat_gone,
    },
];

fn detach(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let vpc = created.physical_id.trim_start_matches("IGW|");
    let gateway = cx.tx.scan::<InternetGateway>().find(|g| g.vpc.as_ref().is_some_and(|v| *v == *vpc));
    let Some(gateway) = gateway else { return Ok(()) };
    let input = Input::new().with("InternetGatewayId", gateway.id.as_str()).with("VpcId", vpc);
    already_gone(input.call(cx, "DetachInternetGateway"))
}

fn nat(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let names = ["AllocationId", "ConnectivityType", "PrivateIpAddress", "SubnetId"];
    let made = Input::new().texts(props, &names).tags(props, "natgateway").call(cx, "CreateNatGateway")?;
    let id = text(&made, "/NatGateway/NatGatewayId");
    Ok(Created::new(id.as_str())
        .with("NatGatewayId", id)
        .with("EniId", text(&made, "/NatGateway/NatGatewayAddresses/0/NetworkInterfaceId")))
}

fn nat_ready(image: &Image, created: &Created) -> Readiness {
    let row = image.get::<NatGateway>(&created.physical_id);
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
            Readiness::Pending("the NAT gateway still stands".into())
        }
        _ => Readiness::ready(),
    }
}

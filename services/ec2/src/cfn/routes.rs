//! RouteTable, Route, SubnetRouteTableAssociation, VPCEndpoint.

use super::{Input, at_once, text};
use escale_base::{AwsError, already_gone, wire::Value};
use escale_service::{Created, Cx, Props, Readiness, ResourceType};
use escale_tables::ec2::Endpoint;
use serde_json::json;

pub(super) const TYPES: &[ResourceType] = &[
    ResourceType {
        name: "AWS::EC2::RouteTable",
        properties: &["Tags", "VpcId"],
        create: |cx, props| {
            let input = Input::new().texts(props, &["VpcId"]).tags(props, "route-table");
            let id = text(&input.call(cx, "CreateRouteTable")?, "/RouteTable/RouteTableId");
            Ok(Created::new(id.as_str()).with("RouteTableId", id))
        },
        ready: at_once,
        delete: |cx, c| {
            let input = Input::new().with("RouteTableId", c.physical_id.as_str());
            already_gone(input.call(cx, "DeleteRouteTable"))
        },
        gone: at_once,
    },
    ResourceType {
        name: "AWS::EC2::Route",
        properties: &[
            "DestinationCidrBlock",
            "GatewayId",
            "NatGatewayId",
            "NetworkInterfaceId",
            "RouteTableId",
        ],
        create: route,
        ready: at_once,
        delete: delete_route,
        gone: at_once,
    },
    ResourceType {
        name: "AWS::EC2::SubnetRouteTableAssociation",
        properties: &["RouteTableId", "SubnetId"],
        create: |cx, props| {
            let input = Input::new().texts(props, &["RouteTableId", "SubnetId"]);
            let id = text(&input.call(cx, "AssociateRouteTable")?, "/AssociationId");
            Ok(Created::new(id.as_str()).with("Id", id))
        },
        ready: at_once,
        delete: |cx, c| {
            let input = Input::new().with("AssociationId", c.physical_id.as_str());
            already_gone(input.call(cx, "DisassociateRouteTable"))
        },
        gone: at_once,
    },
    ResourceType {
        name: "AWS::EC2::VPCEndpoint",
        properties: &[
            "IpAddressType",
            "PolicyDocument",
            "PrivateDnsEnabled",
            "RouteTableIds",
            "ServiceName",
            "Tags",
            "VpcEndpointType",
            "VpcId",
        ],
        create: endpoint,
        ready: |image, c| match image.get::<Endpoint>(&c.physical_id) {
            None => Readiness::Failed(format!("The endpoint {} was deleted", c.physical_id)),
            Some(row)
                if crate::shapes::gateway::endpoint_state(image, &row)
                    == crate::choices::EndpointState::Pending =>
            {
                Readiness::Pending("the network is being made".into())
            }
            Some(_) => Readiness::ready(),
        },
        delete: |cx, c| {
            let input = Input::new().with("VpcEndpointIds", json!([c.physical_id]));
            already_gone(input.call(cx, "DeleteVpcEndpoints"))
        },
        gone: at_once,
    },
];

fn route(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let names = ["DestinationCidrBlock", "GatewayId", "NatGatewayId", "NetworkInterfaceId", "RouteTableId"];
    Input::new().texts(props, &names).call(cx, "CreateRoute")?;
    let (table, to) =
        (props.str("RouteTableId").unwrap_or(""), props.str("DestinationCidrBlock").unwrap_or(""));
    Ok(Created::new(format!("{table}|{to}")).with("CidrBlock", to))
}

fn delete_route(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let (table, to) = created.physical_id.split_once('|').unwrap_or((created.physical_id.as_str(), ""));
    let input = Input::new().with("RouteTableId", table).with("DestinationCidrBlock", to);
    already_gone(input.call(cx, "DeleteRoute"))
}

fn endpoint(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let names = ["IpAddressType", "RouteTableIds", "ServiceName", "VpcEndpointType", "VpcId"];
    let mut input = Input::new().texts(props, &names).tags(props, "vpc-endpoint");
    if let Some(value) = props.bool("PrivateDnsEnabled") {
        input = input.with("PrivateDnsEnabled", value);
    }
    if let Some(policy) = props.get("PolicyDocument") {
        let document = match policy {
            Value::String(text) => text.clone(),
            tree => tree.to_string(),
        };
        input = input.with("PolicyDocument", document);
    }
    let made = input.call(cx, "CreateVpcEndpoint")?;
    let id = text(&made, "/VpcEndpoint/VpcEndpointId");
    Ok(Created::new(id.as_str())
        .with("Id", id)
        .with("CreationTimestamp", cx.now.iso8601())
        .with("DnsEntries", json!([]))
        .with("NetworkInterfaceIds", json!([])))
}

//! RouteTable, Route, SubnetRouteTableAssociation, VPCEndpoint.

use super::tags;
use crate::{
    choices::{self, EndpointState},
    ops::{
        associate_route_table::AssociateRouteTable, create_route::CreateRoute,
        create_route_table::CreateRouteTable, create_vpc_endpoint::CreateVpcEndpoint,
        delete_route::DeleteRoute, delete_route_table::DeleteRouteTable,
        delete_vpc_endpoints::DeleteVpcEndpoints, disassociate_route_table::DisassociateRouteTable,
    },
    shapes::gateway,
};
use escale_base::{AwsError, already_gone};
use escale_service::{Created, Cx, InputDraft, Props, Readiness, ResourceType};
use escale_tables::ec2::Endpoint;
use serde_json::json;

pub(super) const TYPES: &[ResourceType] = &[
    ResourceType::new(
        "AWS::EC2::RouteTable",
        &["Tags", "VpcId"],
        |cx, props| {
            let input = props.input::<CreateRouteTable>(&["VpcId"]);
            let output =
                input.with("TagSpecifications", &tags(props, choices::ResourceType::RouteTable)?).call(cx)?;
            let id = output.route_table.route_table_id;
            Ok(Created::new(id.as_str()).with("RouteTableId", id.as_str()))
        },
        |cx, c| c.delete_by::<DeleteRouteTable>(cx, "RouteTableId"),
    ),
    ResourceType::new("AWS::EC2::Route", ROUTE, route, delete_route),
    ResourceType::new(
        "AWS::EC2::SubnetRouteTableAssociation",
        &["RouteTableId", "SubnetId"],
        |cx, props| {
            let id =
                props.input::<AssociateRouteTable>(&["RouteTableId", "SubnetId"]).call(cx)?.association_id;
            Ok(Created::new(id.as_str()).with("Id", id))
        },
        |cx, c| c.delete_by::<DisassociateRouteTable>(cx, "AssociationId"),
    ),
    ResourceType::new(
        "AWS::EC2::VPCEndpoint",
        &[
            "IpAddressType",
            "PolicyDocument",
            "PrivateDnsEnabled",
            "RouteTableIds",
            "ServiceName",
            "Tags",
            "VpcEndpointType",
            "VpcId",
        ],
        endpoint,
        |cx, c| {
            let ids = vec![c.physical_id.clone()];
            already_gone(InputDraft::<DeleteVpcEndpoints>::new().with("VpcEndpointIds", &ids).call(cx))
        },
    )
    .ready(|image, c| match image.get::<Endpoint>(&c.physical_id) {
        None => Readiness::Failed(format!("The endpoint {} was deleted", c.physical_id)),
        Some(row) if gateway::endpoint_state(image, &row) == EndpointState::Pending => {
            Readiness::Pending("the VPC's network is being created".into())
        }
        Some(_) => Readiness::ready(),
    }),
];

const ROUTE: &[&str] =
    &["DestinationCidrBlock", "GatewayId", "NatGatewayId", "NetworkInterfaceId", "RouteTableId"];

fn route(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    props.input::<CreateRoute>(ROUTE).call(cx)?;
    let (table, to) = (props.text("RouteTableId")?, props.text("DestinationCidrBlock")?);
    // A route has no id of its own. `delete_route` reads both parts from the physical id.
    Ok(Created::new(format!("{table}|{to}")).with("CidrBlock", to))
}

fn delete_route(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let (table, to) = created.physical_id.split_once('|').ok_or_else(AwsError::internal)?;
    let input = InputDraft::<DeleteRoute>::new().with("RouteTableId", &table.to_owned());
    already_gone(input.with("DestinationCidrBlock", &to.to_owned()).call(cx))
}

fn endpoint(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let input = props.input_without::<CreateVpcEndpoint>(&["Tags"]);
    let output =
        input.with("TagSpecifications", &tags(props, choices::ResourceType::VpcEndpoint)?).call(cx)?;
    let id = output.vpc_endpoint.vpc_endpoint_id;
    Ok(Created::new(id.as_str())
        .with("Id", id.as_str())
        .with("CreationTimestamp", cx.now.iso8601())
        .with("DnsEntries", json!([]))
        .with("NetworkInterfaceIds", json!([])))
}

//! RouteTable, Route, SubnetRouteTableAssociation, VPCEndpoint.

use super::{describe, only_tags, returns_to, shown, tags, update_tags};
use crate::{
    choices::{self, EndpointState},
    ops::{
        associate_route_table::AssociateRouteTable,
        create_route::CreateRoute,
        create_route_table::CreateRouteTable,
        create_vpc_endpoint::{self, CreateVpcEndpoint},
        delete_route::DeleteRoute,
        delete_route_table::DeleteRouteTable,
        delete_vpc_endpoints::DeleteVpcEndpoints,
        describe_route_tables::DescribeRouteTables,
        describe_vpc_endpoints::DescribeVpcEndpoints,
        disassociate_route_table::DisassociateRouteTable,
        modify_vpc_endpoint::ModifyVpcEndpoint,
        replace_route::ReplaceRoute,
        replace_route_table_association::ReplaceRouteTableAssociation,
    },
    rules,
    shapes::gateway,
};
use escale_base::{
    AwsError, already_gone, found,
    wire::{Map, Value, Wire},
};
use escale_service::{Created, Cx, InputDraft, Props, Readiness, ResourceType, Update, properties_of};
use escale_tables::ec2::{Endpoint, RouteTable, RouteTableId, Subnet};
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
    )
    .update(only_tags)
    .read(|cx, c| {
        let answer = describe::<DescribeRouteTables>(cx, "RouteTableIds", &c.physical_id)?;
        let table = answer.and_then(|a| a.route_tables.into_iter().next());
        Ok(table.map(|table| shown("AWS::EC2::RouteTable", &table, &table.tags)))
    }),
    ResourceType::new("AWS::EC2::Route", ROUTE, route, delete_route).update(update_route).read(read_route),
    ResourceType::new(
        "AWS::EC2::SubnetRouteTableAssociation",
        &["RouteTableId", "SubnetId"],
        associate,
        disassociate,
    )
    .read(read_association),
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
    .update(update_endpoint)
    .read(read_endpoint)
    .ready(|image, c| match image.get::<Endpoint>(&c.physical_id) {
        None => Readiness::Failed(format!("The endpoint {} was deleted", c.physical_id)),
        Some(row) if gateway::endpoint_state(image, &row) == EndpointState::Pending => {
            Readiness::Pending("the VPC's network is being created".into())
        }
        Some(_) => Readiness::ready(),
    }),
];

const ROUTE: &[&str] = &[
    "DestinationCidrBlock",
    "DestinationIpv6CidrBlock",
    "EgressOnlyInternetGatewayId",
    "GatewayId",
    "NatGatewayId",
    "NetworkInterfaceId",
    "RouteTableId",
    "VpcPeeringConnectionId",
];

fn route(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    props.input::<CreateRoute>(ROUTE).call(cx)?;
    let to = props.str("DestinationCidrBlock").or(props.str("DestinationIpv6CidrBlock"));
    let (table, to) = (props.text("RouteTableId")?, to.ok_or_else(AwsError::internal)?);
    // A route has no id of its own. `delete_route` reads both parts from the physical id.
    Ok(Created::new(format!("{table}|{to}")).with("CidrBlock", to))
}

/// The parameter for a route's destination.
fn destination_parameter(to: &str) -> &'static str {
    if to.contains(':') { "DestinationIpv6CidrBlock" } else { "DestinationCidrBlock" }
}

/// The target in one step, so that the destination always has a route.
fn update_route(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    update.after.input::<ReplaceRoute>(ROUTE).call(cx)?;
    Ok(update.created.clone())
}

fn read_route(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let (table, to) = created.physical_id.split_once('|').ok_or_else(AwsError::internal)?;
    let parameter = destination_parameter(to);
    let destination = match parameter {
        "DestinationIpv6CidrBlock" => rules::ipv6_cidr(parameter, to)?.to_string(),
        _ => rules::cidr(parameter, to)?.to_string(),
    };
    let answer = describe::<DescribeRouteTables>(cx, "RouteTableIds", table)?;
    let mut routes = answer.into_iter().flat_map(|a| a.route_tables).flat_map(|table| table.routes);
    let route = routes.find(|route| {
        let of_route = route.destination_cidr_block.as_ref().or(route.destination_ipv6_cidr_block.as_ref());
        of_route == Some(&destination)
    });
    Ok(route.map(|route| {
        let mut properties = properties_of("AWS::EC2::Route", &route, &[]);
        // As the template has it: EC2 stores a block without host bits.
        properties.insert(parameter.into(), to.into());
        properties.insert("RouteTableId".into(), table.into());
        properties
    }))
}

/// CloudFormation adopts an association that the subnet has already, and replaces one with another route table: an update
/// creates the new association before it deletes the old one.
/// Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-subnetroutetableassociation.html>
fn associate(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let (subnet, table) = (props.text("SubnetId")?, props.text("RouteTableId")?);
    let present = cx.tx.get::<Subnet>(subnet).and_then(|s| s.route_table.clone());
    let present = present.and_then(|table| cx.tx.get::<RouteTable>(table.as_str()));
    let association = present.and_then(|present| {
        let mut associations = present.associations.iter();
        let found = associations.find(|a| a.subnet.as_ref().is_some_and(|s| s.as_str() == subnet))?;
        Some((found.id.to_string(), present.id.as_str() == table))
    });
    let id = match association {
        None => props.input::<AssociateRouteTable>(&["RouteTableId", "SubnetId"]).call(cx)?.association_id,
        Some((id, true)) => id,
        Some((id, false)) => {
            let input = props.input::<ReplaceRouteTableAssociation>(&["RouteTableId"]);
            input.with("AssociationId", &id).call(cx)?.new_association_id
        }
    };
    Ok(Created::new(id.as_str()).with("Id", id))
}

fn disassociate(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let old = returns_to(cx.tx, created);
    let old = old.as_ref().and_then(|row| {
        let table = row.properties.get("RouteTableId").and_then(Value::as_str)?;
        Some((row.physical_id.clone()?, table.to_owned()))
    });
    let Some((old_id, table)) = old else {
        return created.delete_by::<DisassociateRouteTable>(cx, "AssociationId");
    };
    let input = InputDraft::<ReplaceRouteTableAssociation>::new();
    let input = input.with("AssociationId", &created.physical_id).with("RouteTableId", &table);
    let Some(new) = found(input.call(cx))? else { return Ok(()) };
    // The stack knows the association by its old id.
    cx.tx.update(&table, |t: &mut RouteTable| {
        let restored = t.associations.iter_mut().filter(|a| a.id == *new.new_association_id);
        restored.for_each(|a| a.id = old_id.as_str().into());
    });
    Ok(())
}

fn read_association(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let id = &created.physical_id;
    let filter = json!([{"Name": "association.route-table-association-id", "Values": [id]}]);
    let answer = InputDraft::<DescribeRouteTables>::new().with("Filters", &filter).call(cx)?;
    let mut all = answer.route_tables.iter().flat_map(|table| &table.associations);
    let association = all.find(|a| a.route_table_association_id == *id);
    Ok(association.map(|a| properties_of("AWS::EC2::SubnetRouteTableAssociation", a, &[])))
}

fn delete_route(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let (table, to) = created.physical_id.split_once('|').ok_or_else(AwsError::internal)?;
    let input = InputDraft::<DeleteRoute>::new().with("RouteTableId", &table.to_owned());
    already_gone(input.with(destination_parameter(to), &to.to_owned()).call(cx))
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

fn update_endpoint(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let id = &update.created.physical_id;
    let after = update.after;
    create_vpc_endpoint::check_options(after.bool("PrivateDnsEnabled"), after.read("IpAddressType")?)?;
    let mut input = InputDraft::<ModifyVpcEndpoint>::new().with("VpcEndpointId", id);
    if update.changed("RouteTableIds") {
        // From what the endpoint has now: removing a table that it does not have is an error.
        let present = rules::find::<Endpoint>(cx, id)?.route_tables.clone();
        let (wanted, before): (Vec<RouteTableId>, Vec<RouteTableId>) =
            (after.read("RouteTableIds")?, update.before.read("RouteTableIds")?);
        let removed = before.into_iter().filter(|t| present.contains(t) && !wanted.contains(t));
        let removed: Vec<_> = removed.collect();
        input = input.with("AddRouteTableIds", &wanted).with("RemoveRouteTableIds", &removed);
    }
    if update.changed("PolicyDocument") {
        input = match after.document("PolicyDocument") {
            Some(document) => input.with("PolicyDocument", &document),
            None => input.with("ResetPolicy", &true),
        };
    }
    if update.any_changed(&["PolicyDocument", "RouteTableIds"]) {
        input.call(cx)?;
    }
    update_tags(cx, id, update)?;
    Ok(update.created.clone())
}

fn read_endpoint(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let answer = describe::<DescribeVpcEndpoints>(cx, "VpcEndpointIds", &created.physical_id)?;
    let Some(endpoint) = answer.and_then(|a| a.vpc_endpoints.into_iter().next()) else { return Ok(None) };
    let mut properties = shown("AWS::EC2::VPCEndpoint", &endpoint, &endpoint.tags);
    // Templates have the policy as an object.
    if let Ok(document) = serde_json::from_str::<Value>(&endpoint.policy_document) {
        properties.insert("PolicyDocument".into(), document);
    }
    // The only type of a gateway endpoint. DescribeVpcEndpoints does not return it.
    properties.insert("IpAddressType".into(), choices::IpAddressType::Ipv4.write());
    Ok(Some(properties))
}

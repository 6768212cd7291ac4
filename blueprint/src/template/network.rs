//! The VPC: three layers of subnets in every zone (public, application, data), and the routes between them and to the Internet.

use super::{
    Sheet, get_att, name_tag, reference,
    services::{allow, role},
    sub,
};
use crate::manifest::{Manifest, Nat};
use serde_json::{Value, json};

/// The layers, in the order of their addresses.
const LAYERS: [&str; 3] = ["Public", "App", "Data"];

pub(super) fn resources(sheet: &mut Sheet, manifest: &Manifest) {
    let network = &manifest.network;
    sheet.add(
        "Vpc",
        "AWS::EC2::VPC",
        json!({
            "CidrBlock": network.cidr.to_string(),
            "EnableDnsSupport": true,
            "EnableDnsHostnames": true,
            "Tags": [
                {"Key": "Name", "Value": reference("AWS::StackName")},
                {"Key": "Environment", "Value": reference("Environment")},
            ],
        }),
    );
    sheet.add("InternetGateway", "AWS::EC2::InternetGateway", json!({"Tags": name_tag("internet")}));
    sheet.add(
        "InternetGatewayAttachment",
        "AWS::EC2::VPCGatewayAttachment",
        json!({"VpcId": reference("Vpc"), "InternetGatewayId": reference("InternetGateway")}),
    );
    for (layer, name) in LAYERS.iter().enumerate() {
        for zone in 0..network.azs {
            subnet(sheet, manifest, name, layer as u32 * network.azs + zone, zone);
        }
    }
    public_routes(sheet, network.azs);
    nat_gateways(sheet, manifest);
    app_routes(sheet, manifest);
    route_table(sheet, "DataRoutes", "data");
    (1..=network.azs).for_each(|zone| associate(sheet, &format!("DataSubnet{zone}"), "DataRoutes"));
    endpoints(sheet, manifest);
    flow_log(sheet, manifest);
}

/// A line in a log group for each flow of packets at an interface.
fn flow_log(sheet: &mut Sheet, manifest: &Manifest) {
    let Some(kept) = manifest.network.flow_logs else { return };
    sheet.add(
        "FlowLogGroup",
        "AWS::Logs::LogGroup",
        json!({"LogGroupName": sub("/vpc/${AWS::StackName}/flows"), "RetentionInDays": kept.0}),
    );
    let write = allow(
        json!([
            "logs:CreateLogStream",
            "logs:PutLogEvents",
            "logs:DescribeLogGroups",
            "logs:DescribeLogStreams"
        ]),
        get_att("FlowLogGroup", "Arn"),
    );
    role(sheet, "FlowLogRole", "vpc-flow-logs.amazonaws.com", "write-flows", vec![write]);
    sheet.add(
        "FlowLog",
        "AWS::EC2::FlowLog",
        json!({
            "ResourceType": "VPC",
            "ResourceId": reference("Vpc"),
            "TrafficType": "ALL",
            "LogGroupName": reference("FlowLogGroup"),
            "DeliverLogsPermissionArn": get_att("FlowLogRole", "Arn"),
            "Tags": name_tag("flows"),
        }),
    );
}

/// The ids of a layer's subnets, as references.
pub(super) fn subnets(manifest: &Manifest, layer: &str) -> Vec<Value> {
    (1..=manifest.network.azs).map(|zone| reference(&format!("{layer}Subnet{zone}"))).collect()
}

/// The resources that must exist before a task in the application's subnets can reach the Internet.
pub(super) fn ways_out(manifest: &Manifest) -> Vec<String> {
    let zones = 1..=manifest.network.azs;
    match manifest.network.nat {
        Nat::None => {
            ENDPOINTS.iter().map(|(id, _)| (*id).to_owned()).chain(["S3Endpoint".to_owned()]).collect()
        }
        _ => zones
            .flat_map(|zone| [format!("AppDefaultRoute{zone}"), format!("AppSubnet{zone}Association")])
            .collect(),
    }
}

fn subnet(sheet: &mut Sheet, manifest: &Manifest, layer: &str, index: u32, zone: u32) {
    let network = &manifest.network;
    let host_bits = 32 - network.subnet_prefix();
    let blocks = json!({"Fn::Cidr": [get_att("Vpc", "CidrBlock"), network.subnets(), host_bits]});
    sheet.add(
        &format!("{layer}Subnet{}", zone + 1),
        "AWS::EC2::Subnet",
        json!({
            "VpcId": reference("Vpc"),
            "AvailabilityZone": {"Fn::Select": [zone, {"Fn::GetAZs": ""}]},
            "CidrBlock": {"Fn::Select": [index, blocks]},
            "Tags": name_tag(&format!("{}-{}", layer.to_lowercase(), zone + 1)),
        }),
    );
}

fn public_routes(sheet: &mut Sheet, azs: u32) {
    route_table(sheet, "PublicRoutes", "public");
    sheet.add(
        "PublicDefaultRoute",
        "AWS::EC2::Route",
        json!({
            "RouteTableId": reference("PublicRoutes"),
            "DestinationCidrBlock": "0.0.0.0/0",
            "GatewayId": reference("InternetGateway"),
        }),
    );
    sheet.attribute("PublicDefaultRoute", "DependsOn", "InternetGatewayAttachment");
    (1..=azs).for_each(|zone| associate(sheet, &format!("PublicSubnet{zone}"), "PublicRoutes"));
}

fn nat_gateways(sheet: &mut Sheet, manifest: &Manifest) {
    for zone in 1..=gateways(manifest) {
        let address = format!("NatAddress{zone}");
        sheet.add(
            &address,
            "AWS::EC2::EIP",
            json!({"Domain": "vpc", "Tags": name_tag(&format!("nat-{zone}"))}),
        );
        sheet.attribute(&address, "DependsOn", "InternetGatewayAttachment");
        sheet.add(
            &format!("NatGateway{zone}"),
            "AWS::EC2::NatGateway",
            json!({
                "AllocationId": get_att(&address, "AllocationId"),
                "SubnetId": reference(&format!("PublicSubnet{zone}")),
                "Tags": name_tag(&format!("nat-{zone}")),
            }),
        );
        let depends = json!(["PublicDefaultRoute", format!("PublicSubnet{zone}Association")]);
        sheet.attribute(&format!("NatGateway{zone}"), "DependsOn", depends);
    }
}

fn gateways(manifest: &Manifest) -> u32 {
    match manifest.network.nat {
        Nat::PerAz => manifest.network.azs,
        Nat::Single => 1,
        Nat::None => 0,
    }
}

fn app_routes(sheet: &mut Sheet, manifest: &Manifest) {
    for zone in 1..=manifest.network.azs {
        let table = format!("AppRoutes{zone}");
        route_table(sheet, &table, &format!("app-{zone}"));
        associate(sheet, &format!("AppSubnet{zone}"), &table);
        let gateway = match manifest.network.nat {
            Nat::PerAz => zone,
            Nat::Single => 1,
            Nat::None => continue,
        };
        sheet.add(
            &format!("AppDefaultRoute{zone}"),
            "AWS::EC2::Route",
            json!({
                "RouteTableId": reference(&table),
                "DestinationCidrBlock": "0.0.0.0/0",
                "NatGatewayId": reference(&format!("NatGateway{gateway}")),
            }),
        );
    }
}

/// The endpoints for tasks without access to the Internet: to pull images, write logs and read secrets.
const ENDPOINTS: [(&str, &str); 4] = [
    ("EcrApiEndpoint", "ecr.api"),
    ("EcrImagesEndpoint", "ecr.dkr"),
    ("LogsEndpoint", "logs"),
    ("SecretsEndpoint", "secretsmanager"),
];

fn endpoints(sheet: &mut Sheet, manifest: &Manifest) {
    let tables: Vec<Value> =
        (1..=manifest.network.azs).map(|zone| reference(&format!("AppRoutes{zone}"))).collect();
    sheet.add(
        "S3Endpoint",
        "AWS::EC2::VPCEndpoint",
        json!({
            "VpcId": reference("Vpc"),
            "VpcEndpointType": "Gateway",
            "ServiceName": sub("com.amazonaws.${AWS::Region}.s3"),
            "RouteTableIds": tables,
        }),
    );
    if manifest.network.nat != Nat::None {
        return;
    }
    sheet.add(
        "EndpointSecurityGroup",
        "AWS::EC2::SecurityGroup",
        json!({
            "GroupDescription": "AWS services, for tasks",
            "VpcId": reference("Vpc"),
            "SecurityGroupIngress": [{
                "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": get_att("Vpc", "CidrBlock"),
                "Description": "HTTPS from the VPC",
            }],
        }),
    );
    for (id, service) in ENDPOINTS {
        sheet.add(
            id,
            "AWS::EC2::VPCEndpoint",
            json!({
                "VpcId": reference("Vpc"),
                "VpcEndpointType": "Interface",
                "PrivateDnsEnabled": true,
                "ServiceName": sub(format!("com.amazonaws.${{AWS::Region}}.{service}")),
                "SubnetIds": subnets(manifest, "App"),
                "SecurityGroupIds": [get_att("EndpointSecurityGroup", "GroupId")],
            }),
        );
    }
}

fn route_table(sheet: &mut Sheet, id: &str, name: &str) {
    sheet.add(id, "AWS::EC2::RouteTable", json!({"VpcId": reference("Vpc"), "Tags": name_tag(name)}));
}

fn associate(sheet: &mut Sheet, subnet: &str, table: &str) {
    sheet.add(
        &format!("{subnet}Association"),
        "AWS::EC2::SubnetRouteTableAssociation",
        json!({"SubnetId": reference(subnet), "RouteTableId": reference(table)}),
    );
}

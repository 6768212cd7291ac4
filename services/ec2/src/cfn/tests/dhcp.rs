//! DHCP options, flow logs, and endpoints for DynamoDB.

use super::{cloud, endpoint, table};
use escale_base::wire::Value;
use escale_harness::Harness;
use serde_json::json;

fn options() -> (Harness, Value) {
    (
        cloud().0,
        json!({"DomainName": "corp.example", "DomainNameServers": ["AmazonProvidedDNS", "10.0.0.9"],
        "NtpServers": ["10.0.0.8"], "NetbiosNameServers": ["10.0.0.7"], "NetbiosNodeType": 2}),
    )
}

fn flow_log() -> (Harness, Value) {
    let (cloud, vpc) = cloud();
    (
        cloud,
        json!({"ResourceId": vpc, "ResourceType": "VPC", "TrafficType": "ALL", "LogGroupName": "flows",
        "DeliverLogsPermissionArn": "arn:aws:iam::000000000000:role/flows", "MaxAggregationInterval": 60,
        "LogDestinationType": "cloud-watch-logs"}),
    )
}

#[test]
fn options_and_flow_logs_update_every_property() {
    table("AWS::EC2::DHCPOptions", options).check();
    table("AWS::EC2::FlowLog", flow_log).check();
}

/// The order of a stack's update: the new association exists before the old one is deleted.
#[test]
fn association_is_replaced_and_its_deletion_returns_to_the_default_options() {
    let (cloud, base) = options();
    let vpc = cloud.ok("DescribeVpcs", json!({}))["Vpcs"][0]["VpcId"].clone();
    let associate = |options: &str| {
        let properties = json!({"DhcpOptionsId": options, "VpcId": vpc});
        cloud.create_resource("AWS::EC2::VPCDHCPOptionsAssociation", properties).unwrap()
    };
    let create =
        |properties: &Value| cloud.create_resource("AWS::EC2::DHCPOptions", properties.clone()).unwrap();
    let (first, second) = (create(&base), create(&json!({"DomainName": "a"})));
    assert_eq!(cloud.read_resource(&first), {
        let mut shown = base.clone();
        shown["Tags"] = json!([]);
        shown
    });
    let old = associate(&first.created.physical_id);
    let in_use = cloud.delete_resource(&first).err().unwrap();
    assert_eq!(in_use.code, "DependencyViolation");
    let new = associate(&second.created.physical_id);
    cloud.delete_resource(&old).unwrap();
    assert_eq!(cloud.read_resource(&old), Value::Null);
    assert_eq!(cloud.read_resource(&new)["DhcpOptionsId"], second.created.physical_id.as_str());
    cloud.delete_resource(&new).unwrap();
    assert_eq!(cloud.ok("DescribeVpcs", json!({}))["Vpcs"][0]["DhcpOptionsId"], "dopt-default");
    for made in [first, second] {
        cloud.delete_resource(&made).unwrap();
        assert_eq!(cloud.read_resource(&made), Value::Null);
    }
}

#[test]
fn refuses_invalid_options() {
    let cloud = cloud().0;
    let option = |key: &str, values: &[&str]| json!({"DhcpConfigurations": [{"Key": key, "Values": values}]});
    for (input, code) in [
        (option("domain-name", &["a b"]), "InvalidParameterValue"),
        (option("domain-name", &["a\nnameserver 1.2.3.4"]), "InvalidParameterValue"),
        (option("domain-name", &["a", "b"]), "InvalidParameterValue"),
        (option("domain-name", &[""]), "InvalidParameterValue"),
        (option("domain-name", &[]), "InvalidParameterValue"),
        (option("domain-name-servers", &["dns.example"]), "InvalidParameterValue"),
        (option("domain-name-servers", &["::1"]), "NotImplemented"),
        (option("domain-name-servers", &["1.1.1.1"; 5]), "InvalidParameterValue"),
        (option("netbios-node-type", &["3"]), "InvalidParameterValue"),
        (option("colour", &["red"]), "InvalidParameterValue"),
        (json!({"DhcpConfigurations": []}), "MissingParameter"),
    ] {
        assert_eq!(cloud.error("CreateDhcpOptions", input.clone()).code, code, "{input}");
    }
    let error = cloud.error("DeleteDhcpOptions", json!({"DhcpOptionsId": "dopt-default"}));
    assert_eq!(error.code, "InvalidParameterValue");
    let all = cloud
        .ok("DescribeDhcpOptions", json!({"Filters": [{"Name": "key", "Values": ["domain-name-servers"]}]}));
    assert_eq!(all["DhcpOptions"][0]["DhcpOptionsId"], "dopt-default");
}

#[test]
fn refuses_flow_logs_without_a_destination_that_exists_here() {
    let (cloud, base) = flow_log();
    let with = |more: Value| {
        let mut all = base.clone();
        all["ResourceIds"] = json!([all["ResourceId"]]);
        all.as_object_mut().unwrap().remove("ResourceId");
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        all
    };
    let bucket = |arn: &str, format: Value| {
        json!({"LogDestinationType": "s3", "LogDestination": arn, "LogGroupName": null, "DeliverLogsPermissionArn": null,
            "DestinationOptions": if format.is_null() { Value::Null } else { json!({"FileFormat": format}) }})
    };
    for (more, code) in [
        (json!({"LogGroupName": null}), "InvalidParameterCombination"),
        (json!({"DeliverLogsPermissionArn": null}), "MissingParameter"),
        (json!({"LogDestinationType": "s3", "LogGroupName": null}), "MissingParameter"),
        (
            json!({"LogDestinationType": "s3", "LogDestination": "arn:aws:s3:::b"}),
            "InvalidParameterCombination",
        ),
        (bucket("b", Value::Null), "InvalidParameterValue"),
        (bucket("arn:aws:s3:::b/AWSLogs", Value::Null), "InvalidParameterValue"),
        (bucket("arn:aws:s3:::b", Value::Null), "LogDestinationNotFoundException"),
        (bucket("arn:aws:s3:::b", "parquet".into()), "NotImplemented"),
        (json!({"LogDestinationType": "kinesis-data-firehose"}), "NotImplemented"),
        (json!({"ResourceType": "TransitGateway"}), "NotImplemented"),
        (json!({"ResourceIds": ["vpc-0"]}), "InvalidVpcID.NotFound"),
        (json!({"MaxAggregationInterval": 61}), "InvalidParameterValue"),
    ] {
        assert_eq!(cloud.error("CreateFlowLogs", with(more.clone())).code, code, "{more}");
    }
    let id = cloud.text("CreateFlowLogs", with(json!({})), "/FlowLogIds/0");
    let answer = cloud.ok("DeleteFlowLogs", json!({"FlowLogIds": ["fl-0", id]}));
    assert_eq!(answer["Unsuccessful"][0]["ResourceId"], "fl-0");
    assert_eq!(cloud.ok("DescribeFlowLogs", json!({}))["FlowLogs"], json!([]));
}

/// The cloud has no DynamoDB: the endpoint is stored, and its prefix list has no addresses.
#[test]
fn endpoint_for_dynamodb_adds_no_addresses() {
    let (cloud, mut base) = endpoint();
    base["ServiceName"] = json!("com.amazonaws.eu-west-3.dynamodb");
    base["RouteTableIds"] = json!(["rtb-one"]);
    let made = cloud.create_resource("AWS::EC2::VPCEndpoint", base).unwrap();
    assert_eq!(cloud.read_resource(&made)["ServiceName"], "com.amazonaws.eu-west-3.dynamodb");
    let shown = cloud.ok("DescribeRouteTables", json!({"RouteTableIds": ["rtb-one"]}));
    let list = shown["RouteTables"][0]["Routes"][1]["DestinationPrefixListId"].clone();
    let lists = cloud.ok("DescribePrefixLists", json!({"PrefixListIds": [list]}))["PrefixLists"].clone();
    assert_eq!(
        (&lists[0]["PrefixListName"], &lists[0]["Cidrs"]),
        (&json!("com.amazonaws.eu-west-3.dynamodb"), &json!([]))
    );
    // Beside one for S3 in the same table.
    let service = "com.amazonaws.eu-west-3.s3";
    cloud.ok(
        "CreateVpcEndpoint",
        json!({"VpcId": made_vpc(&cloud), "ServiceName": service, "RouteTableIds": ["rtb-one"]}),
    );
}

fn made_vpc(cloud: &Harness) -> String {
    cloud.store.read().scan::<escale_tables::ec2::Vpc>().next().unwrap().id.to_string()
}

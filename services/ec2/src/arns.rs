//! The ARNs of the resources that a request names, for authorization.
//!
//! The prefix of an id determines its type, so the ARNs are derived from the input alone. No operation lists its resources
//! itself, and none can forget one.
//! Source: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html>

use crate::{acls, ipv6};
use escale_base::{Arn, wire::Value};
use escale_service::Config;
use escale_store::Image;
use escale_tables::ec2::{Address, RouteTable};

/// The prefix of an id and the type in its ARN.
const TYPES: [(&str, &str); 16] = [
    ("vpc-", "vpc"),
    ("subnet-", "subnet"),
    ("rtb-", "route-table"),
    ("igw-", "internet-gateway"),
    ("fl-", "vpc-flow-log"),
    ("eigw-", "egress-only-internet-gateway"),
    ("nat-", "natgateway"),
    ("eipalloc-", "elastic-ip"),
    ("sg-", "security-group"),
    ("sgr-", "security-group-rule"),
    ("eni-", "network-interface"),
    ("vpce-", "vpc-endpoint"),
    ("pl-", "prefix-list"),
    ("acl-", "network-acl"),
    ("dopt-", "dhcp-options"),
    ("pcx-", "vpc-peering-connection"),
];

/// The types that operations create. Their ARNs end with `*`, because the id does not exist yet.
const CREATED: [(&str, &str); 16] = [
    ("AllocateAddress", "elastic-ip"),
    ("CreateDefaultSubnet", "subnet"),
    ("CreateDefaultVpc", "vpc"),
    ("CreateDhcpOptions", "dhcp-options"),
    ("CreateFlowLogs", "vpc-flow-log"),
    ("CreateEgressOnlyInternetGateway", "egress-only-internet-gateway"),
    ("CreateInternetGateway", "internet-gateway"),
    ("CreateNatGateway", "natgateway"),
    ("CreateNetworkAcl", "network-acl"),
    ("CreateNetworkInterface", "network-interface"),
    ("CreateRouteTable", "route-table"),
    ("CreateSecurityGroup", "security-group"),
    ("CreateSubnet", "subnet"),
    ("CreateVpc", "vpc"),
    ("CreateVpcEndpoint", "vpc-endpoint"),
    ("CreateVpcPeeringConnection", "vpc-peering-connection"),
];

/// The only describe operation that AWS lets policies restrict to resources.
const DESCRIBES_ONE: &str = "DescribeVpcAttribute";

pub(crate) fn of(image: &Image, config: &Config, operation: &str, input: &Value) -> Vec<String> {
    // Without an ARN the request is authorized for `*`.
    if operation.starts_with("Describe") && operation != DESCRIBES_ONE {
        return Vec::new();
    }
    let arn = |kind: &str, id: &str| {
        Arn::new("ec2", &config.region, &config.account, format!("{kind}/{id}")).to_string()
    };
    let mut found: Vec<String> =
        named(input).filter_map(|id| resource(image, id)).map(|(kind, id)| arn(kind, &id)).collect();
    found.extend(CREATED.iter().filter(|(name, _)| *name == operation).map(|(_, kind)| arn(kind, "*")));
    found.dedup();
    found
}

/// All strings of the input up to the structures in its lists; some of them are ids. `IpPermissions` is skipped: it names the
/// peers of rules, which AWS does not authorize.
fn named(input: &Value) -> impl Iterator<Item = &str> {
    let members = input.as_object().into_iter().flatten().filter(|(name, _)| *name != "IpPermissions");
    members.flat_map(|(_, value)| match value {
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        one => texts(one),
    })
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Object(members) => members.values().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The type and the id of the resource that a string names. An association's id names the associated address, route
/// table or subnet.
fn resource(image: &Image, text: &str) -> Option<(&'static str, String)> {
    if text.starts_with("eipassoc-") {
        let mut all = image.scan::<Address>();
        let address = all.find(|a| a.association.as_ref().is_some_and(|(id, _)| id.as_str() == text))?;
        return Some(("elastic-ip", address.id.to_string()));
    }
    if text.starts_with("rtbassoc-") {
        let table = image.scan::<RouteTable>().find(|t| t.associations.iter().any(|a| a.id == text))?;
        return Some(("route-table", table.id.to_string()));
    }
    if text.starts_with("aclassoc-") {
        return Some(("subnet", acls::association(image, text)?.subnet.to_string()));
    }
    if text.starts_with("vpc-cidr-assoc-") || text.starts_with("subnet-cidr-assoc-") {
        return ipv6::owner(image, text);
    }
    // Some operations name an Elastic IP address by the address instead of its allocation id.
    if let Ok(public) = text.parse::<std::net::Ipv4Addr>() {
        let address = image.scan::<Address>().find(|a| a.public_ip == public)?;
        return Some(("elastic-ip", address.id.to_string()));
    }
    TYPES.iter().find(|(prefix, _)| text.starts_with(prefix)).map(|(_, kind)| (*kind, text.to_owned()))
}

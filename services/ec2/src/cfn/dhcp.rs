//! DHCPOptions, VPCDHCPOptionsAssociation.

use super::{describe, only_tags, tags};
use crate::{
    choices, dhcp,
    ops::{
        associate_dhcp_options::AssociateDhcpOptions, create_dhcp_options::CreateDhcpOptions,
        delete_dhcp_options::DeleteDhcpOptions, describe_dhcp_options::DescribeDhcpOptions,
        describe_vpcs::DescribeVpcs,
    },
    shapes::dhcp::OptionsShape,
};
use escale_base::{
    AwsError, already_gone,
    wire::{Map, Value},
};
use escale_service::{Created, Cx, InputDraft, Props, ResourceType, own_tags};
use escale_tables::ec2::VpcId;
use serde_json::json;

/// The property and the option. The values are lists in the API, and single in some properties.
const OPTIONS: [(&str, &str); 5] = [
    ("DomainName", "domain-name"),
    ("DomainNameServers", "domain-name-servers"),
    ("NetbiosNameServers", "netbios-name-servers"),
    ("NetbiosNodeType", "netbios-node-type"),
    ("NtpServers", "ntp-servers"),
];

pub(super) const TYPES: &[ResourceType] = &[
    ResourceType::new(
        "AWS::EC2::DHCPOptions",
        &["DomainName", "DomainNameServers", "NetbiosNameServers", "NetbiosNodeType", "NtpServers", "Tags"],
        create,
        |cx, c| c.delete_by::<DeleteDhcpOptions>(cx, "DhcpOptionsId"),
    )
    .update(only_tags)
    .read(|cx, c| {
        let answer = describe::<DescribeDhcpOptions>(cx, "DhcpOptionsIds", &c.physical_id)?;
        Ok(answer.and_then(|a| a.dhcp_options.into_iter().next()).map(|options| properties(&options)))
    }),
    ResourceType::new(
        "AWS::EC2::VPCDHCPOptionsAssociation",
        &["DhcpOptionsId", "VpcId"],
        |cx, props| {
            props.input::<AssociateDhcpOptions>(&["DhcpOptionsId", "VpcId"]).call(cx)?;
            // An association has no id of its own. `parts` reads both from the physical id.
            Ok(Created::new(format!("{}|{}", props.text("DhcpOptionsId")?, props.text("VpcId")?)))
        },
        disassociate,
    )
    .read(read_association),
];

fn create(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let configurations: Vec<Value> = OPTIONS
        .iter()
        .filter_map(|(property, key)| {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let values: Vec<String> = match props.values.get(*property)? {
                Value::Array(items) => items.iter().map(text).collect(),
                one => vec![text(one)],
            };
            Some(json!({"Key": key, "Values": values}))
        })
        .collect();
    let input =
        InputDraft::<CreateDhcpOptions>::new().with("DhcpConfigurations", &Value::Array(configurations));
    let tags = tags(props, choices::ResourceType::DhcpOptions)?;
    let id = input.with("TagSpecifications", &tags).call(cx)?.dhcp_options.dhcp_options_id;
    Ok(Created::new(id.as_str()).with("DhcpOptionsId", id.as_str()))
}

fn properties(options: &OptionsShape) -> Map<String, Value> {
    let mut properties = Map::from_iter([("Tags".to_owned(), own_tags(&options.tags))]);
    for configuration in &options.dhcp_configurations {
        let Some((property, _)) = OPTIONS.iter().find(|(_, key)| *key == configuration.key) else { continue };
        let values: Vec<&str> = configuration.values.iter().filter_map(|v| v.value.as_deref()).collect();
        let value = match *property {
            "DomainName" => values.first().copied().into(),
            "NetbiosNodeType" => values.first().and_then(|n| n.parse::<u8>().ok()).into(),
            _ => values.into(),
        };
        properties.insert((*property).to_owned(), value);
    }
    properties
}

fn parts(created: &Created) -> Result<(&str, &str), AwsError> {
    created.physical_id.split_once('|').ok_or_else(AwsError::internal)
}

/// The VPC gets the default options, unless another set is associated with it already.
fn disassociate(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let (options, vpc) = parts(created)?;
    if dhcp::of_vpc(cx.tx, &VpcId::from(vpc)).as_str() != options {
        return Ok(());
    }
    let input = InputDraft::<AssociateDhcpOptions>::new().with("VpcId", &vpc.to_owned());
    already_gone(input.with("DhcpOptionsId", &"default".to_owned()).call(cx))
}

fn read_association(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let (options, vpc) = parts(created)?;
    let answer = describe::<DescribeVpcs>(cx, "VpcIds", vpc)?;
    let vpc = answer.and_then(|a| a.vpcs.into_iter().next());
    let vpc = vpc.filter(|vpc| vpc.dhcp_options_id.as_str() == options);
    Ok(vpc
        .and_then(|vpc| json!({"DhcpOptionsId": options, "VpcId": vpc.vpc_id.as_str()}).as_object().cloned()))
}

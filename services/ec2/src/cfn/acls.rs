//! NetworkAcl, NetworkAclEntry, SubnetNetworkAclAssociation.

use super::{describe, only_tags, returns_to, shown, tags};
use crate::{
    acls, choices,
    ops::{
        create_network_acl::CreateNetworkAcl, create_network_acl_entry::CreateNetworkAclEntry,
        delete_network_acl::DeleteNetworkAcl, delete_network_acl_entry::DeleteNetworkAclEntry,
        describe_network_acls::DescribeNetworkAcls,
        replace_network_acl_association::ReplaceNetworkAclAssociation,
        replace_network_acl_entry::ReplaceNetworkAclEntry,
    },
    rules,
};
use escale_base::{
    AwsError, already_gone,
    wire::{Map, Value},
};
use escale_service::{Created, Cx, InputDraft, Named, Props, ResourceType, Update, properties_of};
use escale_tables::ec2::{NetworkAclAssociation, NetworkAclId, Subnet};
use serde_json::json;

const ENTRY: &str = "AWS::EC2::NetworkAclEntry";
const ASSOCIATION: &str = "AWS::EC2::SubnetNetworkAclAssociation";

pub(super) const TYPES: &[ResourceType] = &[
    ResourceType::new(
        "AWS::EC2::NetworkAcl",
        &["Tags", "VpcId"],
        |cx, props| {
            let input = props.input::<CreateNetworkAcl>(&["VpcId"]);
            let tags = tags(props, choices::ResourceType::NetworkAcl)?;
            let id = input.with("TagSpecifications", &tags).call(cx)?.network_acl.network_acl_id;
            Ok(Created::new(id.as_str()).with("Id", id.as_str()))
        },
        |cx, c| c.delete_by::<DeleteNetworkAcl>(cx, "NetworkAclId"),
    )
    .update(only_tags)
    .read(|cx, c| {
        let answer = describe::<DescribeNetworkAcls>(cx, "NetworkAclIds", &c.physical_id)?;
        let acl = answer.and_then(|a| a.network_acls.into_iter().next());
        Ok(acl.map(|acl| shown("AWS::EC2::NetworkAcl", &acl, &acl.tags)))
    }),
    ResourceType::new(ENTRY, ENTRY_PROPERTIES, entry, delete_entry)
        .update(update_entry)
        .read(read_entry)
        .normalize(normalize_entry),
    ResourceType::new(ASSOCIATION, &["NetworkAclId", "SubnetId"], associate, disassociate)
        .read(read_association),
];

const ENTRY_PROPERTIES: &[&str] = &[
    "CidrBlock",
    "Egress",
    "Icmp",
    "Ipv6CidrBlock",
    "NetworkAclId",
    "PortRange",
    "Protocol",
    "RuleAction",
    "RuleNumber",
];

/// The property and the member of the API.
const RENAMED: &[(&str, &str)] = &[("Icmp", "IcmpTypeCode")];

/// EC2 ignores the ports of protocols without ports, and the ICMP type of all but ICMP, and does not return them.
fn normalize_entry(entry: &mut Map<String, Value>) {
    let protocol = match entry.get("Protocol") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => return,
    };
    if !acls::has_ports(&protocol) {
        entry.remove("PortRange");
    }
    if !acls::is_icmp(&protocol) {
        entry.remove("Icmp");
    }
}

/// The input of the two operations that write an entry.
fn entry_input<O: Named>(props: &Props<'_>) -> InputDraft<O> {
    let input = props.input::<O>(ENTRY_PROPERTIES).renamed(RENAMED);
    input.with("Egress", &props.bool("Egress").unwrap_or(false))
}

fn entry(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    entry_input::<CreateNetworkAclEntry>(props).call(cx)?;
    let egress = props.bool("Egress").unwrap_or(false);
    let number: i32 = props.read("RuleNumber")?;
    // An entry has no id of its own. `Key::of` reads the parts from the physical id.
    let id = format!("{}|{egress}|{number}", props.text("NetworkAclId")?);
    Ok(Created::new(id.as_str()).with("Id", id))
}

/// What identifies an entry.
struct Key<'a> {
    acl: &'a str,
    egress: bool,
    number: i32,
}

impl Key<'_> {
    fn of(created: &Created) -> Result<Key<'_>, AwsError> {
        let mut parts = created.physical_id.split('|');
        let key = match (parts.next(), parts.next(), parts.next()) {
            (Some(acl), Some(egress), Some(number)) => egress
                .parse()
                .ok()
                .zip(number.parse().ok())
                .map(|(egress, number)| Key { acl, egress, number }),
            _ => None,
        };
        key.ok_or_else(AwsError::internal)
    }
}

fn update_entry(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    entry_input::<ReplaceNetworkAclEntry>(update.after).call(cx)?;
    Ok(update.created.clone())
}

fn delete_entry(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let key = Key::of(created)?;
    let input = InputDraft::<DeleteNetworkAclEntry>::new().with("NetworkAclId", &key.acl.to_owned());
    already_gone(input.with("Egress", &key.egress).with("RuleNumber", &key.number).call(cx))
}

fn read_entry(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let key = Key::of(created)?;
    let answer = describe::<DescribeNetworkAcls>(cx, "NetworkAclIds", key.acl)?;
    let mut entries = answer.into_iter().flat_map(|a| a.network_acls).flat_map(|acl| acl.entries);
    let entry = entries.find(|e| e.egress == key.egress && e.rule_number == key.number);
    Ok(entry.map(|entry| {
        let mut properties = properties_of(ENTRY, &entry, RENAMED);
        properties.insert("NetworkAclId".into(), key.acl.into());
        properties
    }))
}

/// A subnet has an ACL at any time, so its association is replaced.
fn associate(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let subnet = rules::find::<Subnet>(cx, props.text("SubnetId")?)?;
    let present = acls::association_of(cx.tx, &subnet).id;
    let input = props.input::<ReplaceNetworkAclAssociation>(&["NetworkAclId"]);
    let id = input.with("AssociationId", &present).call(cx)?.new_association_id;
    Ok(Created::new(id.as_str()).with("AssociationId", id))
}

/// The subnet gets the ACL of a replaced association if a rollback returns to it, else the default ACL of its VPC.
fn disassociate(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let Some(association) = acls::association(cx.tx, &created.physical_id) else { return Ok(()) };
    let subnet = rules::find::<Subnet>(cx, association.subnet.as_str())?;
    let old = returns_to(cx.tx, created);
    let old = old.as_ref().and_then(|row| {
        let acl = row.properties.get("NetworkAclId").and_then(Value::as_str)?;
        Some((row.physical_id.clone()?, NetworkAclId::from(acl)))
    });
    let acl = old.as_ref().map_or_else(|| acls::default_id(&subnet.vpc), |(_, acl)| acl.clone());
    let input = InputDraft::<ReplaceNetworkAclAssociation>::new().with("AssociationId", &association.id);
    already_gone(input.with("NetworkAclId", &acl).call(cx))?;
    if let Some((id, _)) = old {
        // The stack knows the association by its old id.
        cx.tx.update(subnet.id.as_str(), |a: &mut NetworkAclAssociation| a.id = id.as_str().into());
    }
    Ok(())
}

fn read_association(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let id = &created.physical_id;
    let filter = json!([{"Name": "association.association-id", "Values": [id]}]);
    let answer = InputDraft::<DescribeNetworkAcls>::new().with("Filters", &filter).call(cx)?;
    let mut all = answer.network_acls.iter().flat_map(|acl| &acl.associations);
    let association = all.find(|a| a.network_acl_association_id == *id);
    Ok(association.map(|a| properties_of(ASSOCIATION, a, &[])))
}

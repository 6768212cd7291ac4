//! SecurityGroup with its inline rules, SecurityGroupIngress, SecurityGroupEgress.

use super::{
    describe,
    group_rules::{self, Direction, Rule},
    shown, tags, update_tags,
};
use crate::{
    choices,
    ops::{
        create_security_group::CreateSecurityGroup, delete_security_group::DeleteSecurityGroup,
        describe_security_group_rules::DescribeSecurityGroupRules,
        describe_security_groups::DescribeSecurityGroups,
    },
    rules,
    shapes::group,
};
use escale_base::{
    AwsError, already_gone,
    wire::{Map, Value, Wire},
};
use escale_service::{Created, Cx, Props, ResourceType, Update};
use escale_store::Image;
use escale_tables::{
    cloudformation::StackResource,
    ec2::{Group, GroupId, GroupRule, RuleId},
};

const GROUP: &str = "AWS::EC2::SecurityGroup";

pub(super) const TYPES: &[ResourceType] = &[
    ResourceType::new(
        GROUP,
        &["GroupDescription", "GroupName", "SecurityGroupEgress", "SecurityGroupIngress", "Tags", "VpcId"],
        create_group,
        |cx, c| c.delete_by::<DeleteSecurityGroup>(cx, "GroupId"),
    )
    .update(update_group)
    .read(read_group)
    .adopt(|cx, id, _| described(cx, &GroupId::from(id)))
    .normalize(|group| {
        for list in Direction::BOTH.map(Direction::property) {
            for rule in group.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                rule.as_object_mut().map(normalize_rule).unwrap_or_default();
            }
        }
    }),
    ResourceType::new(
        "AWS::EC2::SecurityGroupIngress",
        &[
            "CidrIp",
            "CidrIpv6",
            "Description",
            "FromPort",
            "GroupId",
            "IpProtocol",
            "SourcePrefixListId",
            "SourceSecurityGroupId",
            "SourceSecurityGroupName",
            "SourceSecurityGroupOwnerId",
            "ToPort",
        ],
        |cx, props| standalone_rule(cx, props, Direction::Ingress),
        |cx, c| revoke(cx, c, Direction::Ingress),
    )
    .update(|cx, update| update_rule(cx, update, Direction::Ingress))
    .read(|cx, c| read_rule(cx, c, Direction::Ingress))
    .normalize(normalize_rule),
    ResourceType::new(
        "AWS::EC2::SecurityGroupEgress",
        &[
            "CidrIp",
            "CidrIpv6",
            "Description",
            "DestinationPrefixListId",
            "DestinationSecurityGroupId",
            "FromPort",
            "GroupId",
            "IpProtocol",
            "ToPort",
        ],
        |cx, props| standalone_rule(cx, props, Direction::Egress),
        |cx, c| revoke(cx, c, Direction::Egress),
    )
    .update(|cx, update| update_rule(cx, update, Direction::Egress))
    .read(|cx, c| read_rule(cx, c, Direction::Egress))
    .normalize(normalize_rule),
];

/// EC2 returns the names of the protocols that have ports in lower case, and a rule for all protocols has no ports.
fn normalize_rule(rule: &mut Map<String, Value>) {
    let written = match rule.get("IpProtocol") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => return,
    };
    let name = match written.to_ascii_lowercase().as_str() {
        "1" => "icmp".to_owned(),
        "6" => "tcp".to_owned(),
        "17" => "udp".to_owned(),
        "58" => "icmpv6".to_owned(),
        other => other.to_owned(),
    };
    if !["icmp", "tcp", "udp", "icmpv6"].contains(&name.as_str()) {
        rule.remove("FromPort");
        rule.remove("ToPort");
    }
    rule.insert("IpProtocol".into(), name.into());
}

fn create_group(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let input = props.input::<CreateSecurityGroup>(&["GroupDescription", "VpcId"]);
    let input = input.renamed(&[("GroupDescription", "Description")]);
    let input = input.with("GroupName", &props.name_or_generated("GroupName", 255));
    let id = input
        .with("TagSpecifications", &tags(props, choices::ResourceType::SecurityGroup)?)
        .call(cx)?
        .group_id;
    let egress = props.read::<Vec<Rule>>(Direction::Egress.property())?;
    // Egress rules of the template replace the default rule, which allows all outbound traffic.
    if !egress.is_empty() {
        let defaults = group::rules(cx, &id).iter().map(|rule| rule.id.clone()).collect();
        group_rules::revoke(cx, &id, Direction::Egress, defaults)?;
    }
    group_rules::replace(cx, &id, Direction::Egress, Vec::new(), egress)?;
    let ingress = group_rules::wanted(Direction::Ingress, props)?;
    group_rules::replace(cx, &id, Direction::Ingress, Vec::new(), ingress)?;
    described(cx, &id)
}

fn described(cx: &Cx<'_>, id: &GroupId) -> Result<Created, AwsError> {
    let vpc = crate::rules::group(cx, Some(id.clone()), None)?.vpc.to_string();
    Ok(Created::new(id.as_str()).with("GroupId", id.as_str()).with("Id", id.as_str()).with("VpcId", vpc))
}

fn update_group(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let id = GroupId::from(update.created.physical_id.as_str());
    for direction in Direction::BOTH.into_iter().filter(|d| update.changed(d.property())) {
        let before = group_rules::wanted(direction, update.before)?;
        let after = group_rules::wanted(direction, update.after)?;
        group_rules::replace(cx, &id, direction, before, after)?;
    }
    update_tags(cx, id.as_str(), update)?;
    Ok(update.created.clone())
}

fn read_group(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let id = &created.physical_id;
    let Some(answer) = describe::<DescribeSecurityGroups>(cx, "GroupIds", id)? else { return Ok(None) };
    let Some(group) = answer.security_groups.into_iter().next() else { return Ok(None) };
    let mut properties = shown(GROUP, &group, &group.tags);
    properties.insert("GroupDescription".into(), group.description.into());
    let row = rules::find::<Group>(cx, group.group_id.as_str())?;
    for direction in Direction::BOTH {
        let rules = group_rules::existing(cx, &group.group_id)?;
        let listed = listed(cx.tx, id, direction);
        // A rule that is a resource of its own does not belong to the list, unless the template has it twice.
        let is_inline = |id: &RuleId| {
            let rule = cx.tx.scan::<GroupRule>().find(|rule| rule.id == *id);
            let is_listed = rule.is_some_and(|rule| group_rules::lists(cx, &row, &listed, &rule));
            let mut resources = cx.tx.scan::<StackResource>();
            is_listed || !resources.any(|r| r.physical_id.as_deref() == Some(id.as_str()))
        };
        let inline = rules.iter().filter(|rule| rule.is_egress == direction.is_egress());
        let inline = inline.filter(|rule| is_inline(&rule.security_group_rule_id));
        let inline = inline.map(|rule| Rule::shown(rule, direction).write()).collect::<Value>();
        properties.insert(direction.property().into(), inline);
    }
    Ok(Some(properties))
}

/// The rules that the group has in its stack's template.
fn listed(image: &Image, group: &str, direction: Direction) -> Vec<Rule> {
    let row = image.scan::<StackResource>().find(|row| row.physical_id.as_deref() == Some(group));
    let list = row.and_then(|row| row.properties.get(direction.property())?.as_array().cloned());
    list.into_iter().flatten().filter_map(|rule| Rule::read(&typed(rule)).ok()).collect()
}

/// A rule that is stored as the template writes it, with the types of its members.
fn typed(mut rule: Value) -> Value {
    for port in ["FromPort", "ToPort"] {
        let number = rule.get(port).and_then(Value::as_str).and_then(|text| text.parse::<i32>().ok());
        if let Some(number) = number {
            rule[port] = number.into();
        }
    }
    if let Some(number) = rule.get("IpProtocol").and_then(Value::as_i64) {
        rule["IpProtocol"] = number.to_string().into();
    }
    rule
}

fn standalone_rule(cx: &mut Cx<'_>, props: &Props<'_>, direction: Direction) -> Result<Created, AwsError> {
    let group = GroupId::from(props.text("GroupId")?);
    let rule = Rule::read(&props.values.clone().into()).map_err(|error| props.invalid(error))?;
    let id = group_rules::authorize_shared(cx, &group, direction, rule)?;
    Ok(Created::new(id.as_str()).with("Id", id))
}

/// Only the description can change.
fn update_rule(cx: &mut Cx<'_>, update: &Update<'_>, direction: Direction) -> Result<Created, AwsError> {
    if update.changed("Description") {
        let group = GroupId::from(update.after.text("GroupId")?);
        let id = RuleId::from(update.created.physical_id.as_str());
        let description = update.after.str("Description").map(str::to_owned);
        group_rules::describe(cx, &group, direction, &id, description)?;
    }
    Ok(update.created.clone())
}

fn read_rule(
    cx: &mut Cx<'_>,
    created: &Created,
    direction: Direction,
) -> Result<Option<Map<String, Value>>, AwsError> {
    let id = &created.physical_id;
    let answer = describe::<DescribeSecurityGroupRules>(cx, "SecurityGroupRuleIds", id)?;
    let Some(rule) = answer.and_then(|a| a.security_group_rules.into_iter().next()) else { return Ok(None) };
    let Value::Object(mut properties) = Rule::shown(&rule, direction).write() else { return Ok(None) };
    properties.insert("GroupId".into(), rule.group_id.write());
    if let (Direction::Ingress, Some(peer)) = (direction, rule.referenced_group_info) {
        let name = rules::find::<Group>(cx, &peer.group_id).map(|group| group.name.clone());
        properties.extend(name.ok().map(|name| ("SourceSecurityGroupName".into(), name.into())));
        properties.insert("SourceSecurityGroupOwnerId".into(), peer.user_id.into());
    }
    Ok(Some(properties))
}

fn revoke(cx: &mut Cx<'_>, created: &Created, direction: Direction) -> Result<(), AwsError> {
    let rule = cx.tx.scan::<GroupRule>().find(|r| r.id == *created.physical_id.as_str());
    // The rule may be gone with its group, or a user may have revoked it: then the deletion has nothing to do.
    let Some(rule) = rule else { return Ok(()) };
    already_gone(group_rules::revoke(cx, &rule.group, direction, vec![rule.id.clone()]))
}

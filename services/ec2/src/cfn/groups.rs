//! SecurityGroup with its inline rules, SecurityGroupIngress, SecurityGroupEgress.

use super::tags;
use crate::{
    Error, choices,
    ops::{
        authorize_security_group_egress::AuthorizeSecurityGroupEgress,
        authorize_security_group_ingress::AuthorizeSecurityGroupIngress,
        create_security_group::CreateSecurityGroup, delete_security_group::DeleteSecurityGroup,
        revoke_security_group_egress::RevokeSecurityGroupEgress,
        revoke_security_group_ingress::RevokeSecurityGroupIngress,
    },
    shapes::group::{GroupPair, IpPermission, IpRange, Ipv6Range, PrefixListPeer},
};
use escale_base::{AwsError, ErrorKind, Wire, already_gone};
use escale_service::{Created, Cx, InputDraft, Props, ResourceType};
use escale_tables::ec2::{Group, GroupId, GroupRule};

pub(super) const TYPES: &[ResourceType] = &[
    ResourceType::new(
        "AWS::EC2::SecurityGroup",
        &["GroupDescription", "GroupName", "SecurityGroupEgress", "SecurityGroupIngress", "Tags", "VpcId"],
        group,
        |cx, c| c.delete_by::<DeleteSecurityGroup>(cx, "GroupId"),
    ),
    ResourceType::new(
        "AWS::EC2::SecurityGroupIngress",
        &[
            "CidrIp",
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
    ),
    ResourceType::new(
        "AWS::EC2::SecurityGroupEgress",
        &[
            "CidrIp",
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
    ),
];

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Ingress,
    Egress,
}

/// A rule of either direction, in the properties of templates.
#[derive(Clone, Default, Wire)]
struct Rule {
    ip_protocol: Option<String>,
    from_port: Option<i32>,
    to_port: Option<i32>,
    description: Option<String>,
    cidr_ip: Option<String>,
    cidr_ipv6: Option<String>,
    source_security_group_id: Option<String>,
    source_security_group_name: Option<String>,
    destination_security_group_id: Option<String>,
    source_prefix_list_id: Option<String>,
    destination_prefix_list_id: Option<String>,
}

fn group(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let input = props.input::<CreateSecurityGroup>(&["GroupDescription", "VpcId"]);
    let input = input.renamed(&[("GroupDescription", "Description")]);
    let input = input.with("GroupName", &props.name_or_generated("GroupName", 255));
    let id = input
        .with("TagSpecifications", &tags(props, choices::ResourceType::SecurityGroup)?)
        .call(cx)?
        .group_id;
    for rule in props.read::<Vec<Rule>>("SecurityGroupIngress")? {
        inline_rule(cx, &id, Direction::Ingress, rule)?;
    }
    // Egress rules of the template replace the default rule, which allows all outbound traffic.
    let egress = props.read::<Vec<Rule>>("SecurityGroupEgress")?;
    if !egress.is_empty() {
        let everywhere = IpRange { cidr_ip: Some("0.0.0.0/0".into()), description: None };
        let ip_ranges = vec![everywhere];
        let all = IpPermission { ip_protocol: Some("-1".into()), ip_ranges, ..IpPermission::default() };
        let input = InputDraft::<RevokeSecurityGroupEgress>::new().with("GroupId", &id);
        input.with("IpPermissions", &vec![all]).call(cx)?;
    }
    for rule in egress {
        inline_rule(cx, &id, Direction::Egress, rule)?;
    }
    let vpc = cx.tx.get::<Group>(id.as_str()).ok_or_else(AwsError::internal)?.vpc.to_string();
    Ok(Created::new(id.as_str()).with("GroupId", id.as_str()).with("Id", id.as_str()).with("VpcId", vpc))
}

/// Adds a rule of the template's list. A second rule with the same meaning is ignored, as on AWS.
fn inline_rule(cx: &mut Cx<'_>, id: &GroupId, direction: Direction, rule: Rule) -> Result<(), AwsError> {
    match authorize(cx, id, direction, rule) {
        Err(error) if error.kind == ErrorKind::AlreadyExists => Ok(()),
        other => other.map(drop),
    }
}

fn standalone_rule(cx: &mut Cx<'_>, props: &Props<'_>, direction: Direction) -> Result<Created, AwsError> {
    let group = GroupId::from(props.text("GroupId")?);
    let rule = Rule::read(&props.values.clone().into()).map_err(|error| props.invalid(error))?;
    let id = authorize(cx, &group, direction, rule)?;
    Ok(Created::new(id.as_str()).with("Id", id))
}

/// Adds one rule and returns its id.
fn authorize(cx: &mut Cx<'_>, group: &GroupId, direction: Direction, rule: Rule) -> Result<String, AwsError> {
    let permissions = vec![permission(rule)?];
    let output = match direction {
        Direction::Ingress => {
            let input = InputDraft::<AuthorizeSecurityGroupIngress>::new().with("GroupId", group);
            input.with("IpPermissions", &permissions).call(cx)?
        }
        Direction::Egress => {
            let input = InputDraft::<AuthorizeSecurityGroupEgress>::new().with("GroupId", group);
            input.with("IpPermissions", &permissions).call(cx)?
        }
    };
    let rule = output.security_group_rules.into_iter().next().ok_or_else(AwsError::internal)?;
    Ok(rule.security_group_rule_id.to_string())
}

/// Converts a rule of a template into a permission with one peer.
fn permission(rule: Rule) -> Result<IpPermission, AwsError> {
    let Rule { ip_protocol, from_port, to_port, description, .. } = rule;
    let mut permission = IpPermission { ip_protocol, from_port, to_port, ..IpPermission::default() };
    let mut peers = 0;
    if let Some(cidr_ip) = rule.cidr_ip {
        peers += 1;
        permission.ip_ranges.push(IpRange { cidr_ip: Some(cidr_ip), description: description.clone() });
    }
    if let Some(cidr_ipv6) = rule.cidr_ipv6 {
        peers += 1;
        permission
            .ipv6_ranges
            .push(Ipv6Range { cidr_ipv6: Some(cidr_ipv6), description: description.clone() });
    }
    let group_id = rule.source_security_group_id.or(rule.destination_security_group_id);
    let group_name = rule.source_security_group_name;
    peers += usize::from(group_id.is_some()) + usize::from(group_name.is_some());
    if group_id.is_some() || group_name.is_some() {
        // The rule names no account, because an installation has only one.
        let (user_id, vpc_id, description) = (None, None, description.clone());
        permission.user_id_group_pairs.push(GroupPair { group_id, group_name, user_id, vpc_id, description });
    }
    if let Some(list) = rule.source_prefix_list_id.or(rule.destination_prefix_list_id) {
        peers += 1;
        permission.prefix_list_ids.push(PrefixListPeer { prefix_list_id: Some(list), description });
    }
    if peers > 1 {
        return Err(Error::SeveralPeers.into());
    }
    Ok(permission)
}

fn revoke(cx: &mut Cx<'_>, created: &Created, direction: Direction) -> Result<(), AwsError> {
    let rule = cx.tx.scan::<GroupRule>().find(|r| r.id == *created.physical_id.as_str());
    // The rule may be gone with its group, or a user may have revoked it: then the deletion has nothing to do.
    let Some(rule) = rule else { return Ok(()) };
    let ids = vec![created.physical_id.clone()];
    already_gone(match direction {
        Direction::Ingress => {
            let input = InputDraft::<RevokeSecurityGroupIngress>::new().with("GroupId", &rule.group);
            input.with("SecurityGroupRuleIds", &ids).call(cx)
        }
        Direction::Egress => {
            let input = InputDraft::<RevokeSecurityGroupEgress>::new().with("GroupId", &rule.group);
            input.with("SecurityGroupRuleIds", &ids).call(cx)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn permission_of(rule: Value) -> Result<Value, AwsError> {
        permission(Rule::read(&rule).unwrap()).map(|permission| permission.write())
    }

    #[test]
    fn converts_template_rules_into_permissions() {
        let rule = json!({"IpProtocol": "-1", "CidrIp": "10.0.0.0/8", "Description": "all"});
        let permission = permission_of(rule).unwrap();
        assert_eq!(permission["IpRanges"], json!([{"CidrIp": "10.0.0.0/8", "Description": "all"}]));
        let rule =
            json!({"IpProtocol": "tcp", "FromPort": 80, "ToPort": 81, "DestinationSecurityGroupId": "sg-2"});
        let permission = permission_of(rule).unwrap();
        assert_eq!(permission["UserIdGroupPairs"], json!([{"GroupId": "sg-2"}]));
        assert_eq!((&permission["FromPort"], &permission["ToPort"]), (&json!(80), &json!(81)));
        let two = json!({"IpProtocol": "tcp", "CidrIp": "10.0.0.0/8", "SourceSecurityGroupId": "sg-1"});
        assert_eq!(permission_of(two).unwrap_err().code, "ValidationError");
    }
}

//! Rules of security groups in the form of templates.

use crate::{
    Error,
    ops::{
        authorize_security_group_egress::AuthorizeSecurityGroupEgress,
        authorize_security_group_ingress::AuthorizeSecurityGroupIngress,
        describe_security_group_rules::DescribeSecurityGroupRules,
        revoke_security_group_egress::RevokeSecurityGroupEgress,
        revoke_security_group_ingress::RevokeSecurityGroupIngress,
        update_security_group_rule_descriptions_egress::UpdateSecurityGroupRuleDescriptionsEgress,
        update_security_group_rule_descriptions_ingress::UpdateSecurityGroupRuleDescriptionsIngress,
    },
    permissions::{self, RequestedRule, RuleParameters},
    rules,
    shapes::group::{self, GroupPair, IpPermission, IpRange, Ipv6Range, PrefixListPeer, RuleShape},
};
use escale_base::{AwsError, ErrorKind, Wire};
use escale_service::{Cx, InputDraft, Named, Props};
use escale_tables::ec2::{Group, GroupId, GroupRule, RuleId};
use serde_json::json;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Direction {
    Ingress,
    Egress,
}

impl Direction {
    pub(super) const BOTH: [Direction; 2] = [Direction::Ingress, Direction::Egress];

    /// The group's property with the list of rules.
    pub(super) fn property(self) -> &'static str {
        match self {
            Direction::Ingress => "SecurityGroupIngress",
            Direction::Egress => "SecurityGroupEgress",
        }
    }

    pub(super) fn is_egress(self) -> bool {
        self == Direction::Egress
    }

    /// The rules of a group whose template has none: all outbound traffic is allowed.
    pub(super) fn defaults(self) -> Vec<Rule> {
        let everything =
            || Rule { ip_protocol: Some("-1".into()), cidr_ip: Some("0.0.0.0/0".into()), ..Rule::default() };
        match self {
            Direction::Ingress => Vec::new(),
            Direction::Egress => vec![everything()],
        }
    }
}

/// A rule of either direction, in the properties of templates.
#[derive(Clone, Default, Wire)]
pub(super) struct Rule {
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

impl Rule {
    /// The rule as a template has it.
    pub(super) fn shown(shape: &RuleShape, direction: Direction) -> Rule {
        // As in the answers of DescribeSecurityGroups, a rule for all protocols has no ports.
        let has_ports = shape.ip_protocol != "-1";
        let group = shape.referenced_group_info.as_ref().map(|peer| peer.group_id.clone());
        let list = shape.prefix_list_id.clone();
        let mut rule = Rule {
            ip_protocol: Some(shape.ip_protocol.clone()),
            from_port: has_ports.then_some(shape.from_port),
            to_port: has_ports.then_some(shape.to_port),
            description: shape.description.clone(),
            cidr_ip: shape.cidr_ipv4.clone(),
            cidr_ipv6: shape.cidr_ipv6.clone(),
            ..Rule::default()
        };
        match direction {
            Direction::Ingress => {
                (rule.source_security_group_id, rule.source_prefix_list_id) = (group, list);
            }
            Direction::Egress => {
                (rule.destination_security_group_id, rule.destination_prefix_list_id) = (group, list);
            }
        }
        rule
    }
}

/// The rules that a group's template wants; without any, the defaults.
pub(super) fn wanted(direction: Direction, props: &Props<'_>) -> Result<Vec<Rule>, AwsError> {
    let rules: Vec<Rule> = props.read(direction.property())?;
    Ok(if rules.is_empty() { direction.defaults() } else { rules })
}

/// Replaces a group's rules. A rule in both lists stays, and so does a rule in neither, which another resource or a user has
/// added.
///
/// All changes take effect together when the transaction ends: no traffic is cut that both the old and the new rules allow. Old
/// rules go first, because both together may exceed the quota.
pub(super) fn replace(
    cx: &mut Cx<'_>,
    id: &GroupId,
    direction: Direction,
    before: Vec<Rule>,
    after: Vec<Rule>,
) -> Result<(), AwsError> {
    let group = rules::find::<Group>(cx, id.as_str())?;
    let mut new: Vec<(RequestedRule, Rule)> = Vec::new();
    for rule in after {
        let requested = requested(cx, &group, rule.clone())?;
        // A second rule with the same meaning is ignored, as on AWS.
        if !new.iter().any(|(other, _)| other.identity() == requested.identity()) {
            new.push((requested, rule));
        }
    }
    let existing: Vec<_> =
        group::rules(cx, id).into_iter().filter(|r| r.egress == direction.is_egress()).collect();
    let mut revoked = Vec::new();
    for rule in before {
        // An old rule that cannot be read any more, for example one whose peer was deleted, does not exist either.
        let Ok(old) = requested(cx, &group, rule) else { continue };
        if !new.iter().any(|(new, _)| new.identity() == old.identity()) {
            revoked.extend(existing.iter().filter(|r| old.matches(r)).map(|r| r.id.clone()));
        }
    }
    if !revoked.is_empty() {
        revoke(cx, id, direction, revoked)?;
    }
    for (requested, rule) in new {
        match existing.iter().find(|r| requested.matches(r)) {
            None => drop(authorize(cx, id, direction, rule)?),
            Some(old) if old.description != requested.description => {
                describe(cx, id, direction, &old.id, requested.description)?;
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Reads a template's rule as the operations do.
fn requested(cx: &Cx<'_>, group: &Group, rule: Rule) -> Result<RequestedRule, AwsError> {
    let parameters = RuleParameters { permissions: vec![permission(rule)?], ..RuleParameters::default() };
    let mut all = permissions::requested_rules(cx, group, parameters)?;
    all.pop().ok_or_else(AwsError::internal)
}

/// All rules of a group.
pub(super) fn existing(cx: &mut Cx<'_>, group: &GroupId) -> Result<Vec<RuleShape>, AwsError> {
    let filter = json!([{"Name": "group-id", "Values": [group.as_str()]}]);
    let input = InputDraft::<DescribeSecurityGroupRules>::new().with("Filters", &filter);
    Ok(input.call(cx)?.security_group_rules)
}

/// Adds the rule of a resource of its own and returns its id. If the group has the rule already, the resource becomes another
/// owner of it, as on AWS: CloudFormation ignores the error of EC2, and the deletion of either owner removes the rule.
///
/// <https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/612>
pub(super) fn authorize_shared(
    cx: &mut Cx<'_>,
    id: &GroupId,
    direction: Direction,
    rule: Rule,
) -> Result<String, AwsError> {
    match authorize(cx, id, direction, rule.clone()) {
        Err(error) if error.kind == ErrorKind::AlreadyExists => {
            let group = rules::find::<Group>(cx, id.as_str())?;
            let requested = requested(cx, &group, rule)?;
            let mut existing = group::rules(cx, id).into_iter();
            let same = existing.find(|r| r.egress == direction.is_egress() && requested.matches(r));
            Ok(same.ok_or(error)?.id.to_string())
        }
        done => done,
    }
}

/// Whether the list of a group's template has this rule.
pub(super) fn lists(cx: &Cx<'_>, group: &Group, listed: &[Rule], rule: &GroupRule) -> bool {
    let is_same = |listed: &Rule| requested(cx, group, listed.clone()).is_ok_and(|r| r.matches(rule));
    listed.iter().any(is_same)
}

/// Adds one rule and returns its id.
pub(super) fn authorize(
    cx: &mut Cx<'_>,
    group: &GroupId,
    direction: Direction,
    rule: Rule,
) -> Result<String, AwsError> {
    let permissions = vec![permission(rule)?];
    let output = match direction {
        Direction::Ingress => {
            of::<AuthorizeSecurityGroupIngress>(group).with("IpPermissions", &permissions).call(cx)?
        }
        Direction::Egress => {
            of::<AuthorizeSecurityGroupEgress>(group).with("IpPermissions", &permissions).call(cx)?
        }
    };
    let rule = output.security_group_rules.into_iter().next().ok_or_else(AwsError::internal)?;
    Ok(rule.security_group_rule_id.to_string())
}

pub(super) fn revoke(
    cx: &mut Cx<'_>,
    group: &GroupId,
    direction: Direction,
    ids: Vec<RuleId>,
) -> Result<(), AwsError> {
    match direction {
        Direction::Ingress => {
            of::<RevokeSecurityGroupIngress>(group).with("SecurityGroupRuleIds", &ids).call(cx)?
        }
        Direction::Egress => {
            of::<RevokeSecurityGroupEgress>(group).with("SecurityGroupRuleIds", &ids).call(cx)?
        }
    };
    Ok(())
}

/// Changes a rule's description; without a new one, removes it.
pub(super) fn describe(
    cx: &mut Cx<'_>,
    group: &GroupId,
    direction: Direction,
    id: &RuleId,
    description: Option<String>,
) -> Result<(), AwsError> {
    let change = match description {
        Some(text) => json!([{"SecurityGroupRuleId": id.as_str(), "Description": text}]),
        None => json!([{"SecurityGroupRuleId": id.as_str()}]),
    };
    const MEMBER: &str = "SecurityGroupRuleDescriptions";
    match direction {
        Direction::Ingress => {
            of::<UpdateSecurityGroupRuleDescriptionsIngress>(group).with(MEMBER, &change).call(cx)?
        }
        Direction::Egress => {
            of::<UpdateSecurityGroupRuleDescriptionsEgress>(group).with(MEMBER, &change).call(cx)?
        }
    };
    Ok(())
}

fn of<O: Named>(group: &GroupId) -> InputDraft<O> {
    InputDraft::new().with("GroupId", group)
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
        let description = description.clone();
        permission.user_id_group_pairs.push(GroupPair {
            group_id,
            group_name,
            description,
            ..GroupPair::default()
        });
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

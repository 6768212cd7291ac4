//! Security group rules: from the parameters of requests to rows.

use crate::{
    Error,
    error::Limit,
    peerings, prefix_lists, rules,
    shapes::group::{self, IpPermission},
};
use escale_base::{Tag, Wire};
use escale_service::Cx;
use escale_tables::ec2::{Group, GroupId, GroupRule, Interface, Peer, RuleId};
use std::sync::Arc;

/// A rule as requests describe it, without an id.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RequestedRule {
    pub protocol: String,
    pub from_port: i32,
    pub to_port: i32,
    pub peer: Peer,
    pub description: Option<String>,
}

impl RequestedRule {
    pub(crate) fn matches(&self, rule: &GroupRule) -> bool {
        self.identity() == identity(rule)
    }

    /// As [`identity`].
    pub(crate) fn identity(&self) -> (&str, i32, i32, &Peer) {
        (&self.protocol, self.from_port, self.to_port, &self.peer)
    }

    /// The rule in AWS's error messages.
    pub(crate) fn text(&self) -> String {
        let peer = match &self.peer {
            Peer::Cidr(cidr) => cidr.to_string(),
            Peer::Group(id) => id.to_string(),
            Peer::PrefixList(id) => id.to_string(),
        };
        match self.protocol.as_str() {
            "-1" => format!("peer: {peer}, ALL, ALLOW"),
            protocol => {
                let protocol = protocol.to_ascii_uppercase();
                format!(
                    "peer: {peer}, {protocol}, from port: {}, to port: {}, ALLOW",
                    self.from_port, self.to_port
                )
            }
        }
    }
}

/// The fields that make two rules duplicates on AWS. The id and the description do not count.
pub(crate) fn identity(rule: &GroupRule) -> (&str, i32, i32, &Peer) {
    (&rule.protocol, rule.from_port, rule.to_port, &rule.peer)
}

/// The two ways in which a request describes rules: a list, or the fields of one rule at the top (`--protocol tcp --port 22`).
#[derive(Default)]
pub(crate) struct RuleParameters {
    pub permissions: Vec<IpPermission>,
    pub ip_protocol: Option<String>,
    pub from_port: Option<i32>,
    pub to_port: Option<i32>,
    pub cidr_ip: Option<String>,
}

/// Validates the rules that a request describes.
pub(crate) fn requested_rules(
    cx: &Cx<'_>,
    group: &Group,
    parameters: RuleParameters,
) -> Result<Vec<RequestedRule>, Error> {
    let RuleParameters { mut permissions, ip_protocol, from_port, to_port, cidr_ip } = parameters;
    if ip_protocol.is_some() || cidr_ip.is_some() {
        let range = cidr_ip.map(|cidr| group::IpRange { cidr_ip: Some(cidr), description: None });
        permissions.push(IpPermission {
            ip_protocol,
            from_port,
            to_port,
            ip_ranges: range.into_iter().collect(),
            ..IpPermission::default()
        });
    }
    if permissions.is_empty() {
        return Err(Error::Missing("ipPermissions"));
    }
    let mut all = Vec::new();
    for permission in permissions {
        rules_of(cx, group, permission, &mut all)?;
    }
    Ok(all)
}

/// Adds one rule for each peer of a permission.
fn rules_of(
    cx: &Cx<'_>,
    group: &Group,
    permission: IpPermission,
    all: &mut Vec<RequestedRule>,
) -> Result<(), Error> {
    let protocol = permission.ip_protocol.ok_or(Error::Missing("ipProtocol"))?;
    let (protocol, from_port, to_port) = ports(&protocol, permission.from_port, permission.to_port)?;
    let mut add = |peer, description: Option<String>| {
        check_description(description.as_deref())?;
        let protocol = protocol.clone();
        all.push(RequestedRule { protocol, from_port, to_port, peer, description });
        Ok::<(), Error>(())
    };
    let has_no_peer = permission.ip_ranges.is_empty()
        && permission.ipv6_ranges.is_empty()
        && permission.user_id_group_pairs.is_empty()
        && permission.prefix_list_ids.is_empty();
    if has_no_peer {
        return Err(Error::Missing("cidrIp, a group or a prefix list"));
    }
    for range in permission.ip_ranges {
        let text = range.cidr_ip.ok_or(Error::Missing("cidrIp"))?;
        add(Peer::Cidr(rules::cidr("cidrIp", &text)?.into()), range.description)?;
    }
    for range in permission.ipv6_ranges {
        let text = range.cidr_ipv6.ok_or(Error::Missing("cidrIpv6"))?;
        add(Peer::Cidr(rules::ipv6_cidr("cidrIpv6", &text)?.into()), range.description)?;
    }
    for pair in permission.user_id_group_pairs {
        let peer = peer_group(cx, group, pair.group_id, pair.group_name)?;
        check_pair(cx, group, &peer, pair.vpc_peering_connection_id)?;
        add(Peer::Group(peer), pair.description)?;
    }
    for list in permission.prefix_list_ids {
        let id = list.prefix_list_id.ok_or(Error::Missing("prefixListId"))?;
        add(prefix_list(cx, &id)?, list.description)?;
    }
    Ok(())
}

/// A peering connection that a request names must be the one that the rule depends on.
fn check_pair(cx: &Cx<'_>, group: &Group, peer: &GroupId, named: Option<String>) -> Result<(), Error> {
    let Some(named) = named else { return Ok(()) };
    let peering = peerings::of_group(cx.tx, &group.vpc, peer).and_then(|(_, peering)| peering);
    if peering.is_some_and(|p| p.id.as_str() == named) {
        return Ok(());
    }
    let why = format!("It does not connect the VPC of {} with that of {peer}.", group.id);
    Err(Error::invalid("vpcPeeringConnectionId", named, why))
}

/// The group that a rule names as its peer. It must be in the same VPC or in a peered one.
pub(crate) fn peer_group(
    cx: &Cx<'_>,
    group: &Group,
    id: Option<String>,
    name: Option<String>,
) -> Result<GroupId, Error> {
    // A rule that exists can be named also after the peering connection or the group was deleted.
    let is_present =
        |id: &String| group::rules(cx, &group.id).iter().any(|r| r.peer == Peer::Group(id.clone().into()));
    if let Some(id) = id.as_ref().filter(|id| is_present(id)) {
        return Ok(id.clone().into());
    }
    let peer = match (id, name) {
        (Some(id), _) => rules::find::<Group>(cx, &id)?,
        (None, Some(name)) => {
            let named = cx.tx.scan::<Group>().find(|g| g.vpc == group.vpc && g.name == name);
            named.ok_or(Error::NotFound(crate::error::Kind::Group, name))?
        }
        (None, None) => return Err(Error::Missing("groupId")),
    };
    if peer.vpc != group.vpc && peerings::between(cx.tx, &group.vpc, &peer.vpc).is_none() {
        return Err(Error::WrongVpc(format!(
            "You have specified two resources that belong to different networks: {} and {}",
            group.id, peer.id
        )));
    }
    Ok(peer.id.clone())
}

pub(crate) fn prefix_list(cx: &Cx<'_>, id: &str) -> Result<Peer, Error> {
    let list = prefix_lists::find(cx.config, id);
    let list = list.ok_or_else(|| Error::NotFound(crate::error::Kind::PrefixList, id.to_owned()))?;
    Ok(Peer::PrefixList(list.id.into()))
}

/// The protocol's name and the port range as they are stored; -1 means all.
pub(crate) fn ports(protocol: &str, from: Option<i32>, to: Option<i32>) -> Result<(String, i32, i32), Error> {
    let name = match protocol.to_ascii_lowercase().as_str() {
        "-1" | "all" => return Ok(("-1".into(), -1, -1)),
        "tcp" | "6" => "tcp",
        "udp" | "17" => "udp",
        "icmp" | "1" => "icmp",
        // AWS does not require types of ICMPv6.
        "icmpv6" | "58" => return icmp("icmpv6", from.unwrap_or(-1), to.unwrap_or(-1)),
        number => match number.parse::<u8>() {
            // AWS ignores the ports of all other protocols: such a rule allows all ports.
            Ok(number) => return Ok((number.to_string(), -1, -1)),
            Err(_) => {
                let why = "Use -1, tcp, udp, icmp or a number from 0 to 255.";
                return Err(Error::invalid("ipProtocol", protocol, why));
            }
        },
    };
    let (from, to) = match (from, to) {
        (Some(from), Some(to)) => (from, to),
        _ => return Err(Error::Missing("fromPort and toPort")),
    };
    if name == "icmp" {
        return icmp(name, from, to);
    }
    if (from, to) == (-1, -1) {
        return Ok((name.into(), 0, 65535));
    }
    if from > to || from < 0 || to > 65535 {
        let why =
            "Invalid TCP/UDP port range. Ports are 0 to 65535, and the first must not be above the last.";
        return Err(Error::invalid("portRange", format!("{from}-{to}"), why));
    }
    Ok((name.into(), from, to))
}

fn icmp(name: &str, kind: i32, code: i32) -> Result<(String, i32, i32), Error> {
    let fits = |n| (-1..=255).contains(&n);
    if !fits(kind) || !fits(code) || (kind == -1 && code != -1) {
        let why = "ICMP types and codes are -1 to 255. -1 means all; a code requires a type.";
        return Err(Error::invalid("fromPort/toPort", format!("{kind}/{code}"), why));
    }
    Ok((name.into(), kind, code))
}

pub(crate) fn check_description(text: Option<&str>) -> Result<(), Error> {
    match text {
        Some(text) if text.chars().count() > 255 => {
            Err(Error::invalid("description", text, "Descriptions have at most 255 characters."))
        }
        _ => Ok(()),
    }
}

/// Writes new rules of a group. A duplicate of an existing rule is an error, and so is a rule above the quota.
pub(crate) fn add(
    cx: &mut Cx<'_>,
    group: &GroupId,
    egress: bool,
    requested: Vec<RequestedRule>,
    tags: &[Tag],
) -> Result<Vec<GroupRule>, Error> {
    // Each direction has its own quota, as on AWS.
    let mut all: Vec<GroupRule> =
        group::rules(cx, group).iter().filter(|r| r.egress == egress).map(|r| r.as_ref().clone()).collect();
    let before = all.len();
    for r in requested {
        if all.iter().any(|existing| r.matches(existing)) {
            return Err(Error::DuplicateRule(r.text()));
        }
        all.push(GroupRule {
            id: RuleId::random(),
            group: group.clone(),
            egress,
            protocol: r.protocol.into(),
            from_port: r.from_port,
            to_port: r.to_port,
            peer: r.peer,
            description: r.description,
            tags: tags.to_vec(),
        });
    }
    if all.len() > Limit::RulesPerGroup.max() {
        return Err(Error::TooMany(
            Limit::RulesPerGroup,
            "The maximum number of rules per security group has been reached.".into(),
        ));
    }
    let added = all.split_off(before);
    for rule in &added {
        cx.tx.put(rule.clone());
    }
    Ok(added)
}

/// The rule of this group with that id.
pub(crate) fn rule(cx: &Cx<'_>, group: &GroupId, id: &RuleId) -> Result<Arc<GroupRule>, Error> {
    cx.tx
        .get::<GroupRule>(&format!("{group}/{id}"))
        .ok_or_else(|| Error::NotFound(crate::error::Kind::Rule, id.to_string()))
}

/// Deletes rules, named by their ids or by their fields. If one of them does not exist, none is deleted.
pub(crate) fn revoke(
    cx: &mut Cx<'_>,
    group: &Group,
    egress: bool,
    ids: &[RuleId],
    parameters: RuleParameters,
) -> Result<Vec<Arc<GroupRule>>, Error> {
    let revoked: Vec<Arc<GroupRule>> = if ids.is_empty() {
        let existing = group::rules(cx, &group.id);
        let find = |requested: &RequestedRule| {
            let found = existing.iter().find(|r| r.egress == egress && requested.matches(r)).cloned();
            found.ok_or_else(|| Error::NoRule(requested.text()))
        };
        requested_rules(cx, group, parameters)?.iter().map(find).collect::<Result<_, _>>()?
    } else {
        let find = |id| {
            let found = rule(cx, &group.id, id)?;
            if found.egress == egress { Ok(found) } else { Err(Error::NoRule(id.to_string())) }
        };
        ids.iter().map(find).collect::<Result<_, _>>()?
    };
    for r in &revoked {
        cx.tx.delete::<GroupRule>(&format!("{}/{}", r.group, r.id));
    }
    Ok(revoked)
}

/// The new description of a rule that is named by its id.
#[derive(Wire)]
pub(crate) struct RuleDescription {
    security_group_rule_id: Option<RuleId>,
    description: Option<String>,
}

/// Updates the descriptions of rules, named by their fields or by their ids.
pub(crate) fn describe(
    cx: &mut Cx<'_>,
    group: &Group,
    egress: bool,
    permissions: Vec<IpPermission>,
    by_id: Vec<RuleDescription>,
) -> Result<(), Error> {
    let mut changed: Vec<GroupRule> = Vec::new();
    for update in by_id {
        let id = update.security_group_rule_id.ok_or(Error::Missing("securityGroupRuleId"))?;
        check_description(update.description.as_deref())?;
        let old = rule(cx, &group.id, &id)?;
        changed.push(GroupRule { description: update.description, ..old.as_ref().clone() });
    }
    // A request that names no rule at all goes on, so that `requested_rules` reports the missing parameter.
    if !permissions.is_empty() || changed.is_empty() {
        let existing = group::rules(cx, &group.id);
        let parameters = RuleParameters { permissions, ..RuleParameters::default() };
        for requested in requested_rules(cx, group, parameters)? {
            let old = existing.iter().find(|r| r.egress == egress && requested.matches(r));
            let old = old.ok_or_else(|| Error::NoRule(requested.text()))?;
            changed.push(GroupRule { description: requested.description, ..old.as_ref().clone() });
        }
    }
    changed.into_iter().for_each(|r| cx.tx.put(r));
    Ok(())
}

/// The interfaces and rules that use a group, for the error that it cannot be deleted.
pub(crate) fn users_of(cx: &Cx<'_>, group: &GroupId) -> Vec<String> {
    let interfaces = cx.tx.scan::<Interface>().filter(|i| i.groups.contains(group)).map(|i| i.id.to_string());
    // A group's rules for its own members do not prevent its deletion, and neither do those of peered VPCs, as on AWS.
    let own = cx.tx.get::<Group>(group.as_str()).map(|g| g.vpc.clone());
    let same_vpc = |r: &GroupRule| cx.tx.get::<Group>(r.group.as_str()).map(|g| g.vpc.clone()) == own;
    let rules = cx
        .tx
        .scan::<GroupRule>()
        .filter(|r| r.group != *group && r.peer == Peer::Group(group.clone()) && same_vpc(r))
        .map(|r| format!("{} of {}", r.id, r.group));
    interfaces.chain(rules).collect()
}

#[cfg(test)]
mod tests {
    use super::ports;

    #[test]
    fn accepts_the_protocols_and_ports_of_aws() {
        let good = |p, f, t| ports(p, f, t).unwrap();
        assert_eq!(good("all", None, None), ("-1".into(), -1, -1));
        assert_eq!(good("6", Some(80), Some(81)), ("tcp".into(), 80, 81));
        assert_eq!(good("udp", Some(-1), Some(-1)), ("udp".into(), 0, 65535));
        assert_eq!(good("icmp", Some(8), Some(-1)), ("icmp".into(), 8, -1));
        assert_eq!(good("icmpv6", None, None), ("icmpv6".into(), -1, -1));
        assert_eq!(good("50", None, None), ("50".into(), -1, -1));
        for (p, f, t) in [
            ("tcp", None, None),
            ("tcp", Some(81), Some(80)),
            ("tcp", Some(0), Some(65536)),
            ("icmp", Some(-1), Some(3)),
            ("ssh", Some(1), Some(2)),
        ] {
            assert!(ports(p, f, t).is_err(), "{p} {f:?} {t:?}");
        }
    }
}

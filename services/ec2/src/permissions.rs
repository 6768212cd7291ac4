//! Security group rules as they are asked for, and how they become rows.

use crate::{
    Error,
    error::Limit,
    prefix_lists, rules,
    shapes::group::{self, IpPermission},
};
use escale_base::{Tag, Wire};
use escale_service::Cx;
use escale_tables::ec2::{Group, GroupId, GroupRule, Interface, Peer, RuleId};
use std::sync::Arc;

/// A rule as it is asked for: without an id.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wanted {
    pub protocol: String,
    pub from_port: i32,
    pub to_port: i32,
    pub peer: Peer,
    pub description: Option<String>,
}

impl Wanted {
    pub(crate) fn is(&self, rule: &GroupRule) -> bool {
        (self.protocol.as_str(), self.from_port, self.to_port, &self.peer) == identity(rule)
    }

    /// How messages name it.
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

/// What makes a rule the same as another to AWS: neither its id nor its description does.
pub(crate) fn identity(rule: &GroupRule) -> (&str, i32, i32, &Peer) {
    (&rule.protocol, rule.from_port, rule.to_port, &rule.peer)
}

/// Permissions as requests carry them: one list, or the members of one rule at the top (`--protocol tcp --port 22`).
#[derive(Default)]
pub(crate) struct Asked {
    pub permissions: Vec<IpPermission>,
    pub ip_protocol: Option<String>,
    pub from_port: Option<i32>,
    pub to_port: Option<i32>,
    pub cidr_ip: Option<String>,
}

/// All rules that a request names, checked.
pub(crate) fn wanted(cx: &Cx<'_>, group: &Group, asked: Asked) -> Result<Vec<Wanted>, Error> {
    let Asked { mut permissions, ip_protocol, from_port, to_port, cidr_ip } = asked;
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
        one(cx, group, permission, &mut all)?;
    }
    Ok(all)
}

fn one(cx: &Cx<'_>, group: &Group, permission: IpPermission, all: &mut Vec<Wanted>) -> Result<(), Error> {
    if let Some(range) = permission.ipv6_ranges.first() {
        let cidr = range.cidr_ipv6.clone().unwrap_or_default();
        return Err(rules::refuse(format_args!("A rule for the IPv6 range {cidr} (Ipv6Ranges)")));
    }
    let protocol = permission.ip_protocol.ok_or(Error::Missing("ipProtocol"))?;
    let (protocol, from_port, to_port) = ports(&protocol, permission.from_port, permission.to_port)?;
    let mut add = |peer, description: Option<String>| {
        check_description(description.as_deref())?;
        let protocol = protocol.clone();
        all.push(Wanted { protocol, from_port, to_port, peer, description });
        Ok::<(), Error>(())
    };
    let nobody = permission.ip_ranges.is_empty()
        && permission.user_id_group_pairs.is_empty()
        && permission.prefix_list_ids.is_empty();
    if nobody {
        return Err(Error::Missing("cidrIp, a group or a prefix list"));
    }
    for range in permission.ip_ranges {
        let text = range.cidr_ip.ok_or(Error::Missing("cidrIp"))?;
        add(Peer::Cidr(rules::cidr("cidrIp", &text)?), range.description)?;
    }
    for pair in permission.user_id_group_pairs {
        add(Peer::Group(peer_group(cx, group, pair.group_id, pair.group_name)?), pair.description)?;
    }
    for list in permission.prefix_list_ids {
        let id = list.prefix_list_id.ok_or(Error::Missing("prefixListId"))?;
        add(prefix_list(cx, &id)?, list.description)?;
    }
    Ok(())
}

/// The group that a rule names: it stands in the same VPC.
pub(crate) fn peer_group(
    cx: &Cx<'_>,
    group: &Group,
    id: Option<String>,
    name: Option<String>,
) -> Result<GroupId, Error> {
    let peer = match (id, name) {
        (Some(id), _) => rules::find::<Group>(cx, &id)?,
        (None, Some(name)) => {
            let named = cx.tx.scan::<Group>().find(|g| g.vpc == group.vpc && g.name == name);
            named.ok_or(Error::NotFound(crate::error::Kind::Group, name))?
        }
        (None, None) => return Err(Error::Missing("groupId")),
    };
    if peer.vpc != group.vpc {
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

/// Protocol by its name, and the range as it is stored: -1 stands for all.
pub(crate) fn ports(protocol: &str, from: Option<i32>, to: Option<i32>) -> Result<(String, i32, i32), Error> {
    let name = match protocol.to_ascii_lowercase().as_str() {
        "-1" | "all" => return Ok(("-1".into(), -1, -1)),
        "tcp" | "6" => "tcp",
        "udp" | "17" => "udp",
        "icmp" | "1" => "icmp",
        "icmpv6" | "58" => return Err(rules::refuse("The protocol icmpv6 of a security group rule")),
        number => match number.parse::<u8>() {
            Ok(number) => return Ok((number.to_string(), -1, -1)),
            Err(_) => {
                let why = "Protocols are -1, tcp, udp, icmp or a number from 0 to 255.";
                return Err(Error::invalid("ipProtocol", protocol, why));
            }
        },
    };
    let (from, to) = match (from, to) {
        (Some(from), Some(to)) => (from, to),
        _ => return Err(Error::Missing("fromPort and toPort")),
    };
    if name == "icmp" {
        let fits = |n| (-1..=255).contains(&n);
        if !fits(from) || !fits(to) || (from == -1 && to != -1) {
            let why = "ICMP takes a type and a code of -1 to 255; -1 stands for all, a code needs a type.";
            return Err(Error::invalid("fromPort/toPort", format!("{from}/{to}"), why));
        }
        return Ok((name.into(), from, to));
    }
    if (from, to) == (-1, -1) {
        return Ok((name.into(), 0, 65535));
    }
    if from > to || from < 0 || to > 65535 {
        let why = "Invalid TCP/UDP port range: ports are 0 to 65535, the first not above the last.";
        return Err(Error::invalid("portRange", format!("{from}-{to}"), why));
    }
    Ok((name.into(), from, to))
}

pub(crate) fn check_description(text: Option<&str>) -> Result<(), Error> {
    match text {
        Some(text) if text.chars().count() > 255 => {
            Err(Error::invalid("description", text, "Descriptions have at most 255 characters."))
        }
        _ => Ok(()),
    }
}

/// Writes new rules of a group; one that is there already is an error, and so is the 61st.
pub(crate) fn add(
    cx: &mut Cx<'_>,
    group: &GroupId,
    egress: bool,
    wanted: Vec<Wanted>,
    tags: &[Tag],
) -> Result<Vec<GroupRule>, Error> {
    let mut there: Vec<GroupRule> =
        group::rules(cx, group).iter().filter(|r| r.egress == egress).map(|r| r.as_ref().clone()).collect();
    let before = there.len();
    for w in wanted {
        if there.iter().any(|r| w.is(r)) {
            return Err(Error::DuplicateRule(w.text()));
        }
        there.push(GroupRule {
            id: RuleId::random(),
            group: group.clone(),
            egress,
            protocol: w.protocol.into(),
            from_port: w.from_port,
            to_port: w.to_port,
            peer: w.peer,
            description: w.description,
            tags: tags.to_vec(),
        });
    }
    if there.len() > Limit::RulesPerGroup.most() {
        return Err(Error::TooMany(
            Limit::RulesPerGroup,
            "The maximum number of rules per security group has been reached.".into(),
        ));
    }
    let added = there.split_off(before);
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

/// Takes rules away, named by their ids or by what they say; all of them are there, or none goes.
pub(crate) fn revoke(
    cx: &mut Cx<'_>,
    group: &Group,
    egress: bool,
    ids: &[RuleId],
    asked: Asked,
) -> Result<Vec<Arc<GroupRule>>, Error> {
    let gone: Vec<Arc<GroupRule>> = if ids.is_empty() {
        let there = group::rules(cx, &group.id);
        let find = |w: &Wanted| {
            let found = there.iter().find(|r| r.egress == egress && w.is(r)).cloned();
            found.ok_or_else(|| Error::NoRule(w.text()))
        };
        wanted(cx, group, asked)?.iter().map(find).collect::<Result<_, _>>()?
    } else {
        let find = |id| {
            let found = rule(cx, &group.id, id)?;
            if found.egress == egress { Ok(found) } else { Err(Error::NoRule(id.to_string())) }
        };
        ids.iter().map(find).collect::<Result<_, _>>()?
    };
    for r in &gone {
        cx.tx.delete::<GroupRule>(&format!("{}/{}", r.group, r.id));
    }
    Ok(gone)
}

/// A rule's new description, by its id.
#[derive(Wire)]
pub(crate) struct Described {
    security_group_rule_id: Option<RuleId>,
    description: Option<String>,
}

/// Writes descriptions, of rules named by what they say or by their ids.
pub(crate) fn describe(
    cx: &mut Cx<'_>,
    group: &Group,
    egress: bool,
    permissions: Vec<IpPermission>,
    by_id: Vec<Described>,
) -> Result<(), Error> {
    let mut changed: Vec<GroupRule> = Vec::new();
    for described in by_id {
        let id = described.security_group_rule_id.ok_or(Error::Missing("securityGroupRuleId"))?;
        check_description(described.description.as_deref())?;
        let old = rule(cx, &group.id, &id)?;
        changed.push(GroupRule { description: described.description, ..old.as_ref().clone() });
    }
    if !permissions.is_empty() || changed.is_empty() {
        let there = group::rules(cx, &group.id);
        for w in wanted(cx, group, Asked { permissions, ..Asked::default() })? {
            let old = there.iter().find(|r| r.egress == egress && w.is(r));
            let old = old.ok_or_else(|| Error::NoRule(w.text()))?;
            changed.push(GroupRule { description: w.description, ..old.as_ref().clone() });
        }
    }
    changed.into_iter().for_each(|r| cx.tx.put(r));
    Ok(())
}

/// What still names a group, for the message that it cannot be deleted.
pub(crate) fn users_of(cx: &Cx<'_>, group: &GroupId) -> Vec<String> {
    let interfaces = cx.tx.scan::<Interface>().filter(|i| i.groups.contains(group)).map(|i| i.id.to_string());
    let rules = cx
        .tx
        .scan::<GroupRule>()
        .filter(|r| r.group != *group && r.peer == Peer::Group(group.clone()))
        .map(|r| format!("{} of {}", r.id, r.group));
    interfaces.chain(rules).collect()
}

#[cfg(test)]
mod tests {
    use super::ports;

    #[test]
    fn protocols_and_ports() {
        let good = |p, f, t| ports(p, f, t).unwrap();
        assert_eq!(good("all", None, None), ("-1".into(), -1, -1));
        assert_eq!(good("6", Some(80), Some(81)), ("tcp".into(), 80, 81));
        assert_eq!(good("udp", Some(-1), Some(-1)), ("udp".into(), 0, 65535));
        assert_eq!(good("icmp", Some(8), Some(-1)), ("icmp".into(), 8, -1));
        assert_eq!(good("50", None, None), ("50".into(), -1, -1));
        for (p, f, t) in [
            ("tcp", None, None),
            ("tcp", Some(81), Some(80)),
            ("tcp", Some(0), Some(65536)),
            ("icmp", Some(-1), Some(3)),
            ("icmpv6", Some(-1), Some(-1)),
            ("ssh", Some(1), Some(2)),
        ] {
            assert!(ports(p, f, t).is_err(), "{p} {f:?} {t:?}");
        }
    }
}

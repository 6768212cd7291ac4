//! Security groups and their rules. AWS shows rules in two forms: one by one, and grouped as `IpPermissions`.

use crate::{peerings, status::PeeringState};
use escale_base::{Tag, Wire};
use escale_service::Cx;
use escale_tables::ec2::{Group, GroupId, GroupRule, Peer, RuleId, VpcId};
use ipnet::IpNet;
use std::sync::Arc;

#[derive(Debug, Wire)]
pub(crate) struct GroupShape {
    pub group_id: GroupId,
    pub group_name: String,
    pub description: String,
    pub vpc_id: VpcId,
    pub owner_id: String,
    pub security_group_arn: String,
    pub ip_permissions: Vec<IpPermission>,
    pub ip_permissions_egress: Vec<IpPermission>,
    pub tags: Vec<Tag>,
}

/// A protocol and a port range with all their peers.
#[derive(Clone, Debug, Default, Wire)]
pub(crate) struct IpPermission {
    pub ip_protocol: Option<String>,
    pub from_port: Option<i32>,
    pub to_port: Option<i32>,
    pub user_id_group_pairs: Vec<GroupPair>,
    pub ip_ranges: Vec<IpRange>,
    pub ipv6_ranges: Vec<Ipv6Range>,
    pub prefix_list_ids: Vec<PrefixListPeer>,
}

#[derive(Clone, Debug, Default, Wire)]
pub(crate) struct GroupPair {
    pub group_id: Option<String>,
    pub group_name: Option<String>,
    pub user_id: Option<String>,
    /// This and the following two: of a group of another VPC only.
    pub vpc_id: Option<String>,
    pub vpc_peering_connection_id: Option<String>,
    /// Requests may contain it, because a rule that is revoked is often copied from a response.
    pub peering_status: Option<String>,
    pub description: Option<String>,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct IpRange {
    pub cidr_ip: Option<String>,
    pub description: Option<String>,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct Ipv6Range {
    pub cidr_ipv6: Option<String>,
    pub description: Option<String>,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct PrefixListPeer {
    pub prefix_list_id: Option<String>,
    pub description: Option<String>,
}

#[derive(Debug, Wire)]
pub(crate) struct RuleShape {
    pub security_group_rule_id: RuleId,
    pub security_group_rule_arn: String,
    pub group_id: GroupId,
    pub group_owner_id: String,
    pub is_egress: bool,
    pub ip_protocol: String,
    pub from_port: i32,
    pub to_port: i32,
    pub cidr_ipv4: Option<String>,
    pub cidr_ipv6: Option<String>,
    pub prefix_list_id: Option<String>,
    pub referenced_group_info: Option<ReferencedGroup>,
    pub description: Option<String>,
    pub tags: Vec<Tag>,
}

#[derive(Debug, Wire)]
pub(crate) struct ReferencedGroup {
    pub group_id: String,
    pub user_id: String,
    pub vpc_id: Option<String>,
    pub vpc_peering_connection_id: Option<String>,
    pub peering_status: Option<PeeringState>,
}

/// The rules of a group.
pub(crate) fn rules(cx: &Cx<'_>, group: &GroupId) -> Vec<Arc<GroupRule>> {
    cx.tx.prefix::<GroupRule>(&format!("{group}/")).collect()
}

pub(crate) fn group(cx: &Cx<'_>, row: &Group) -> GroupShape {
    let rules = rules(cx, &row.id);
    let direction = |egress| permissions(cx, rules.iter().filter(|r| r.egress == egress).map(Arc::as_ref));
    GroupShape {
        group_id: row.id.clone(),
        group_name: row.name.clone(),
        description: row.description.clone(),
        vpc_id: row.vpc.clone(),
        owner_id: cx.config.account.clone(),
        security_group_arn: arn(cx, &row.id),
        ip_permissions: direction(false),
        ip_permissions_egress: direction(true),
        tags: row.tags.clone(),
    }
}

pub(crate) fn arn(cx: &Cx<'_>, group: &GroupId) -> String {
    cx.arn("ec2", format!("security-group/{group}")).to_string()
}

pub(crate) fn rule(cx: &Cx<'_>, row: &GroupRule) -> RuleShape {
    let PeerFields { cidr_ipv4, cidr_ipv6, prefix_list_id, referenced } = peer(&row.peer);
    RuleShape {
        security_group_rule_id: row.id.clone(),
        security_group_rule_arn: cx.arn("ec2", format!("security-group-rule/{}", row.id)).to_string(),
        group_id: row.group.clone(),
        group_owner_id: cx.config.account.clone(),
        is_egress: row.egress,
        ip_protocol: row.protocol.to_string(),
        from_port: row.from_port,
        to_port: row.to_port,
        cidr_ipv4,
        cidr_ipv6,
        prefix_list_id,
        referenced_group_info: referenced.map(|id| referenced_group(cx, row, id)),
        description: row.description.clone(),
        tags: row.tags.clone(),
    }
}

fn referenced_group(cx: &Cx<'_>, row: &GroupRule, id: &GroupId) -> ReferencedGroup {
    let (vpc, peering, status) = peered(cx, &row.group, id).unwrap_or_default();
    let own = || cx.tx.get::<Group>(id.as_str()).map(|g| g.vpc.to_string());
    ReferencedGroup {
        group_id: id.to_string(),
        user_id: cx.config.account.clone(),
        vpc_id: vpc.or_else(own),
        vpc_peering_connection_id: peering,
        peering_status: status,
    }
}

/// The VPC of a group of another VPC, the peering connection to it and the state of that.
type Peered = (Option<String>, Option<String>, Option<PeeringState>);

fn peered(cx: &Cx<'_>, own: &GroupId, peer: &GroupId) -> Option<Peered> {
    let own = cx.tx.get::<Group>(own.as_str())?;
    let (vpc, peering) = peerings::of_group(cx.tx, &own.vpc, peer)?;
    let state = peering.as_ref().map_or(PeeringState::Deleted, |p| peerings::state(cx.tx, p, cx.now));
    Some((Some(vpc.to_string()), peering.map(|p| p.id.to_string()), Some(state)))
}

/// A rule's peer in AWS's fields, of which all but one are absent.
#[derive(Default)]
struct PeerFields<'a> {
    cidr_ipv4: Option<String>,
    cidr_ipv6: Option<String>,
    prefix_list_id: Option<String>,
    referenced: Option<&'a GroupId>,
}

fn peer(peer: &Peer) -> PeerFields<'_> {
    let none = PeerFields::default();
    match peer {
        Peer::Cidr(IpNet::V4(cidr)) => PeerFields { cidr_ipv4: Some(cidr.to_string()), ..none },
        Peer::Cidr(IpNet::V6(cidr)) => PeerFields { cidr_ipv6: Some(cidr.to_string()), ..none },
        Peer::PrefixList(id) => PeerFields { prefix_list_id: Some(id.to_string()), ..none },
        Peer::Group(id) => PeerFields { referenced: Some(id), ..none },
    }
}

/// Groups rules with the same protocol and port range into one permission, as AWS does.
pub(crate) fn permissions<'a>(cx: &Cx<'_>, rules: impl Iterator<Item = &'a GroupRule>) -> Vec<IpPermission> {
    let mut all: Vec<IpPermission> = Vec::new();
    for rule in rules {
        // AWS shows no ports for a rule that covers all protocols.
        let ports = (rule.protocol != "-1").then_some((rule.from_port, rule.to_port));
        let (from_port, to_port) = (ports.map(|p| p.0), ports.map(|p| p.1));
        let same = |p: &IpPermission| {
            p.ip_protocol.as_deref() == Some(rule.protocol.as_str())
                && (p.from_port, p.to_port) == (from_port, to_port)
        };
        let at = all.iter().position(same).unwrap_or_else(|| {
            all.push(IpPermission {
                ip_protocol: Some(rule.protocol.to_string()),
                from_port,
                to_port,
                ..IpPermission::default()
            });
            all.len() - 1
        });
        let permission = &mut all[at];
        let description = rule.description.clone();
        match &rule.peer {
            Peer::Cidr(IpNet::V4(cidr)) => {
                permission.ip_ranges.push(IpRange { cidr_ip: Some(cidr.to_string()), description });
            }
            Peer::Cidr(IpNet::V6(cidr)) => {
                permission.ipv6_ranges.push(Ipv6Range { cidr_ipv6: Some(cidr.to_string()), description });
            }
            Peer::Group(id) => {
                let (vpc_id, peering, status) = peered(cx, &rule.group, id).unwrap_or_default();
                permission.user_id_group_pairs.push(GroupPair {
                    group_id: Some(id.to_string()),
                    group_name: None,
                    user_id: Some(cx.config.account.clone()),
                    vpc_id,
                    vpc_peering_connection_id: peering,
                    peering_status: status.map(|status| status.to_string()),
                    description,
                });
            }
            Peer::PrefixList(id) => permission
                .prefix_list_ids
                .push(PrefixListPeer { prefix_list_id: Some(id.to_string()), description }),
        }
    }
    all
}

#[derive(Debug, Wire)]
pub(crate) struct RevokedRule {
    security_group_rule_id: RuleId,
    group_id: GroupId,
    is_egress: bool,
    ip_protocol: String,
    from_port: i32,
    to_port: i32,
    cidr_ipv4: Option<String>,
    cidr_ipv6: Option<String>,
    prefix_list_id: Option<String>,
    referenced_group_id: Option<String>,
    description: Option<String>,
}

impl RevokedRule {
    pub(crate) fn of(row: &GroupRule) -> RevokedRule {
        let PeerFields { cidr_ipv4, cidr_ipv6, prefix_list_id, referenced } = peer(&row.peer);
        RevokedRule {
            security_group_rule_id: row.id.clone(),
            group_id: row.group.clone(),
            is_egress: row.egress,
            ip_protocol: row.protocol.to_string(),
            from_port: row.from_port,
            to_port: row.to_port,
            cidr_ipv4,
            cidr_ipv6,
            prefix_list_id,
            referenced_group_id: referenced.map(ToString::to_string),
            description: row.description.clone(),
        }
    }
}

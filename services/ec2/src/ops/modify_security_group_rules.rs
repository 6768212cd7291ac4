//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySecurityGroupRules.html>

use crate::{Error, permissions, rules, shapes::Return};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ec2::{Group, GroupId, GroupRule, Peer, RuleId};

pub(crate) struct ModifySecurityGroupRules;

#[derive(Wire)]
pub(crate) struct Input {
    group_id: GroupId,
    security_group_rules: Vec<Update>,
}

#[derive(Wire)]
pub(crate) struct Update {
    security_group_rule_id: RuleId,
    security_group_rule: Option<New>,
}

#[derive(Wire)]
pub(crate) struct New {
    ip_protocol: Option<String>,
    from_port: Option<i32>,
    to_port: Option<i32>,
    cidr_ipv4: Option<String>,
    cidr_ipv6: Option<String>,
    prefix_list_id: Option<String>,
    referenced_group_id: Option<String>,
    description: Option<String>,
}

impl Operation for ModifySecurityGroupRules {
    type Input = Input;
    type Output = Return;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Return, Error> {
        let group = rules::find::<Group>(cx, input.group_id.as_str())?;
        for update in input.security_group_rules {
            let old = permissions::rule(cx, &group.id, &update.security_group_rule_id)?;
            let new = update.security_group_rule.ok_or(Error::Missing("securityGroupRule"))?;
            let changed = changed(cx, &group, &old, new)?;
            // The direction of a rule cannot change, so only rules of the same direction can collide.
            let same = |r: &GroupRule| {
                r.id != changed.id
                    && r.egress == changed.egress
                    && permissions::identity(r) == permissions::identity(&changed)
            };
            if let Some(other) = crate::shapes::group::rules(cx, &group.id).iter().find(|r| same(r)) {
                return Err(Error::DuplicateRule(other.id.to_string()));
            }
            cx.tx.put(changed);
        }
        Ok(Return { done: true })
    }
}

/// The rule after the update. As on AWS, a description that the request omits is removed.
fn changed(cx: &Cx<'_>, group: &Group, old: &GroupRule, new: New) -> Result<GroupRule, Error> {
    let protocol = new.ip_protocol.as_deref().unwrap_or(&old.protocol);
    let (protocol, from_port, to_port) = permissions::ports(protocol, new.from_port, new.to_port)?;
    permissions::check_description(new.description.as_deref())?;
    let peer = match (new.cidr_ipv4, new.cidr_ipv6, new.prefix_list_id, new.referenced_group_id) {
        (Some(cidr), None, None, None) => Peer::Cidr(rules::cidr("cidrIpv4", &cidr)?.into()),
        (None, Some(cidr), None, None) => Peer::Cidr(rules::ipv6_cidr("cidrIpv6", &cidr)?.into()),
        (None, None, Some(id), None) => permissions::prefix_list(cx, &id)?,
        (None, None, None, Some(id)) => Peer::Group(permissions::peer_group(cx, group, Some(id), None)?),
        _ => return Err(Error::Missing("one of cidrIpv4, cidrIpv6, prefixListId and referencedGroupId")),
    };
    Ok(GroupRule {
        protocol: protocol.into(),
        from_port,
        to_port,
        peer,
        description: new.description,
        ..old.clone()
    })
}

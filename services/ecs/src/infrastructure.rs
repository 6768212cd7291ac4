//! The role under which ECS changes load balancers: target groups and the weights of listener rules. What the role may not do, ECS
//! does not do either.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/AmazonECSInfrastructureRolePolicyForLoadBalancers.html>

use crate::{Error, calls::ECS};
use escale_base::{AwsError, ErrorKind};
use escale_requests::{
    elbv2::{Action, DescribeRules, Forward, ModifyListener, ModifyRule, Rule, WeightedGroup},
    sts::AssumeRole,
};
use escale_service::{Caller, Cx, Principal};
use escale_tables::ecs::{ALL_TRAFFIC, AdvancedConfiguration, LoadBalancer, RoleReference, Share};

/// The session's name in ARNs of the assumed role.
const SESSION: &str = "ECSServiceDeployment";
/// The shortest session: its credentials are not used, only its identity.
const SECONDS: i64 = 900;
const FORWARD: &str = "forward";

/// The identity of the role, if it trusts ECS.
pub(crate) fn assume(cx: &mut Cx<'_>, role: &RoleReference, service_arn: &str) -> Result<Caller, AwsError> {
    let on_behalf = Principal::OnBehalf { service: ECS.into(), source_arn: service_arn.to_owned() };
    let caller = Caller { principal: on_behalf, ..Caller::service(ECS) };
    let request = AssumeRole {
        role_arn: role.to_string(),
        role_session_name: SESSION.into(),
        duration_seconds: SECONDS,
    };
    let answer = cx.call_for(&caller, request)?;
    let id = answer.assumed_role_user.assumed_role_id;
    let (role_id, session) = id.split_once(':').ok_or_else(AwsError::internal)?;
    let name = crate::rules::last_part(role).to_owned();
    let principal = Principal::Role { name, session: session.to_owned(), role_id: role_id.to_owned() };
    Ok(Caller { principal, ..Caller::service(ECS) })
}

/// Checks a load balancer of a request: the caller may pass the role, the role trusts ECS and reads the rules, and the rules forward
/// to the two target groups only.
pub(crate) fn check(cx: &mut Cx<'_>, balancer: &LoadBalancer, service_arn: &str) -> Result<(), Error> {
    let (Some(own), Some(advanced)) = (&balancer.target_group_arn, &balancer.advanced_configuration) else {
        return Ok(());
    };
    let AdvancedConfiguration { alternate_target_group_arn: other, role_arn, .. } = advanced;
    if own == other {
        return Err(Error::Invalid(format!(
            "targetGroupArn and alternateTargetGroupArn are both {own}. Pass two target groups."
        )));
    }
    if advanced.test_listener_rule.as_ref() == Some(&advanced.production_listener_rule) {
        return Err(Error::Invalid("productionListenerRule and testListenerRule are the same rule.".into()));
    }
    cx.pass_role(role_arn, ECS)?;
    let role = assume(cx, role_arn, service_arn).map_err(|error| match error.status {
        500.. => Error::Aws(error),
        _ => Error::Invalid(format!(
            "ECS was unable to assume the role '{role_arn}': it does not exist or does not trust {ECS}."
        )),
    })?;
    for rule in [Some(&advanced.production_listener_rule), advanced.test_listener_rule.as_ref()] {
        let Some(arn) = rule else { continue };
        let found = describe(cx, &role, arn)?;
        let groups = groups_of(&found)?;
        if let Some(foreign) =
            groups.iter().find(|g| g.target_group_arn != **own && g.target_group_arn != **other)
        {
            return Err(Error::Invalid(format!(
                "The listener rule {arn} forwards to the target group {}, which is neither targetGroupArn nor \
                 alternateTargetGroupArn of the service.",
                foreign.target_group_arn
            )));
        }
    }
    Ok(())
}

/// Sets the share of the traffic that a rule sends to `balancer`'s target group; the alternate one gets the rest. The stickiness of
/// the rule stays.
pub(crate) fn route(
    cx: &mut Cx<'_>,
    role: &Caller,
    rule: &str,
    balancer: &LoadBalancer,
    share: Share,
) -> Result<(), Error> {
    let (Some(own), Some(advanced)) = (&balancer.target_group_arn, &balancer.advanced_configuration) else {
        return Ok(());
    };
    let found = describe(cx, role, rule)?;
    groups_of(&found)?;
    let (weight, rest) = weights(share);
    let weighted = |arn: &str, weight| WeightedGroup { target_group_arn: arn.to_owned(), weight };
    // In an order that does not depend on the roles of the groups, so that an unchanged rule is recognised.
    let mut target_groups = vec![weighted(own, weight), weighted(&advanced.alternate_target_group_arn, rest)];
    target_groups.sort_by(|one, other| one.target_group_arn.cmp(&other.target_group_arn));
    let before = found.actions.into_iter().next().and_then(|action| action.forward_config);
    let target_group_stickiness_config = before.and_then(|forward| forward.target_group_stickiness_config);
    let forward = Forward { target_groups, target_group_stickiness_config };
    let actions = vec![Action { kind: FORWARD.into(), forward_config: Some(forward) }];
    let changed = match found.is_default.then(|| listener_of(rule)).flatten() {
        Some(listener_arn) => cx.call_for(role, ModifyListener { listener_arn, default_actions: actions }),
        None => cx.call_for(role, ModifyRule { rule_arn: rule.to_owned(), actions }),
    };
    Ok(changed?)
}

fn describe(cx: &mut Cx<'_>, role: &Caller, arn: &str) -> Result<Rule, Error> {
    if !arn.contains(":listener-rule/app/") {
        return Err(AwsError::not_supported(format_args!("The listener rule '{arn}'"))
            .hint("Use the ARN of a rule of an Application Load Balancer.")
            .into());
    }
    let found = cx.call_for(role, DescribeRules { rule_arns: vec![arn.to_owned()] });
    let found = found.map_err(|error| match error.kind {
        ErrorKind::NotFound => Error::Invalid(format!("The listener rule {arn} does not exist.")),
        _ => Error::Aws(error),
    })?;
    found.rules.into_iter().next().ok_or_else(|| AwsError::internal().into())
}

fn groups_of(rule: &Rule) -> Result<&[WeightedGroup], Error> {
    let forward = rule.actions.first().and_then(|action| action.forward_config.as_ref());
    forward.map(|forward| forward.target_groups.as_slice()).ok_or_else(|| {
        Error::Invalid(format!(
            "The listener rule {} does not forward to target groups. Change its action to forward.",
            rule.rule_arn
        ))
    })
}

/// The listener of a default rule.
fn listener_of(rule: &str) -> Option<String> {
    let (listener, _) = rule.rsplit_once('/')?;
    Some(listener.replacen(":listener-rule/", ":listener/", 1))
}

/// The weights of a share and of the rest. The largest weight is 999, so the whole traffic is 100.
fn weights(share: Share) -> (i64, i64) {
    let share = i64::from(share.min(ALL_TRAFFIC));
    let rest = i64::from(ALL_TRAFFIC) - share;
    if share % 10 == 0 { (share / 10, rest / 10) } else { (share, rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_percentages_where_they_can_be() {
        for (share, expected) in [
            (0, (0, 100)),
            (1, (1, 999)),
            (50, (5, 95)),
            (125, (125, 875)),
            (999, (999, 1)),
            (1000, (100, 0)),
        ] {
            assert_eq!(weights(share), expected, "{share}");
        }
    }
}

//! Checks and lookups that operations share.

use crate::{Error, error::invalid, network};
use escale_base::{Secret, Tag, ids};
use escale_service::Cx;
use escale_store::{Image, Tx};
use escale_tables::{
    ec2::{Group, GroupId, VpcId},
    elbv2::{
        Action, Listener, ListenerTls, LoadBalancer, Rule, Target, TargetGroup, TargetGroupArn, TargetSeen,
        TargetVersion,
    },
};
use std::{collections::BTreeSet, sync::Arc};

pub(crate) fn load_balancer(cx: &Cx<'_>, arn: &str) -> Result<Arc<LoadBalancer>, Error> {
    cx.tx.get(arn).ok_or_else(|| Error::NoLoadBalancer(arn.to_owned()))
}

pub(crate) fn target_group(cx: &Cx<'_>, arn: &str) -> Result<Arc<TargetGroup>, Error> {
    cx.tx.get(arn).ok_or_else(|| Error::NoTargetGroup(arn.to_owned()))
}

pub(crate) fn listener(cx: &Cx<'_>, arn: &str) -> Result<Arc<Listener>, Error> {
    cx.tx.get(arn).ok_or_else(|| Error::NoListener(arn.to_owned()))
}

/// The TLS of an HTTPS listener.
pub(crate) fn tls(cx: &Cx<'_>, arn: &str) -> Result<Arc<ListenerTls>, Error> {
    listener(cx, arn)?;
    let why = || {
        Error::UnsupportedProtocol(format!(
            "The listener '{arn}' is no HTTPS listener, so it has no certificates"
        ))
    };
    cx.tx.get(arn).ok_or_else(why)
}

/// Deletes a listener with its rules.
pub(crate) fn delete_listener(tx: &mut Tx, arn: &str) {
    for rule in rules_of(tx, arn) {
        tx.delete::<Rule>(&rule.arn);
    }
    tx.delete::<ListenerTls>(arn);
    tx.delete::<Listener>(arn);
}

pub(crate) fn rule(cx: &Cx<'_>, arn: &str) -> Result<Arc<Rule>, Error> {
    cx.tx.get(arn).ok_or_else(|| Error::NoRule(arn.to_owned()))
}

/// Checks the name of a load balancer or target group.
pub(crate) fn name(what: &str, name: &str) -> Result<(), Error> {
    let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if name.is_empty() || name.len() > 32 {
        return Err(invalid(format!("{what} name '{name}' must have 1 to 32 characters")));
    }
    if !letters || name.starts_with('-') || name.ends_with('-') {
        return Err(invalid(format!(
            "{what} name '{name}' can only contain characters that are alphanumeric characters or hyphens(-), and \
             cannot begin or end with a hyphen"
        )));
    }
    Ok(())
}

/// Checks that the security groups belong to the VPC. Without any it returns the VPC's default group.
pub(crate) fn groups(cx: &Cx<'_>, vpc: &VpcId, given: Vec<GroupId>) -> Result<Vec<GroupId>, Error> {
    for id in &given {
        if cx.tx.get::<Group>(id.as_str()).is_none_or(|g| g.vpc != *vpc) {
            return Err(Error::InvalidGroup(id.to_string()));
        }
    }
    if !given.is_empty() {
        return Ok(given);
    }
    let default = cx.tx.scan::<Group>().find(|g| g.vpc == *vpc && g.name == "default");
    Ok(default.into_iter().map(|g| g.id.clone()).collect())
}

pub(crate) fn tags(tags: &[Tag]) -> Result<(), Error> {
    let keys: BTreeSet<&str> = tags.iter().map(|t| t.key.as_str()).collect();
    if keys.len() < tags.len() {
        return Err(Error::DuplicateTagKeys);
    }
    Ok(())
}

pub(crate) fn listeners_of(image: &Image, balancer: &str) -> Vec<Arc<Listener>> {
    let prefix = format!("{}/", balancer.replacen(":loadbalancer/", ":listener/", 1));
    image.prefix::<Listener>(&prefix).collect()
}

/// The listener's rules in the order of evaluation, without the default rule.
pub(crate) fn rules_of(image: &Image, listener: &str) -> Vec<Arc<Rule>> {
    let prefix = format!("{}/", listener.replacen(":listener/", ":listener-rule/", 1));
    let mut rules: Vec<_> = image.prefix::<Rule>(&prefix).collect();
    rules.sort_by_key(|r| r.priority);
    rules
}

fn targets_group(action: &Action, group: &str) -> bool {
    action.groups().iter().any(|(arn, _)| arn == group)
}

/// The ARNs of the load balancers that forward to the group: none or one.
pub(crate) fn balancers_of(image: &Image, group: &str) -> BTreeSet<String> {
    let by_default = image.scan::<Listener>().filter(|l| targets_group(&l.default, group));
    let by_rule = image.scan::<Rule>().filter(|r| targets_group(&r.action, group));
    let by_rule = by_rule.filter_map(|r| image.get::<Listener>(&r.listener));
    by_default.chain(by_rule).map(|l| l.load_balancer.to_string()).collect()
}

/// The target groups that the load balancer's listeners and rules forward to.
pub(crate) fn groups_of(image: &Image, balancer: &LoadBalancer) -> BTreeSet<TargetGroupArn> {
    let mut all = BTreeSet::new();
    for listener in listeners_of(image, &balancer.arn) {
        let rules = rules_of(image, &listener.arn);
        for action in rules.iter().map(|rule| &rule.action).chain([&listener.default]) {
            all.extend(action.groups().iter().map(|(arn, _)| arn.clone()));
        }
    }
    all
}

/// Checks that the target groups exist, belong to the balancer's VPC and are not used by another balancer. `tls`: of the listener.
pub(crate) fn check_forward(
    cx: &Cx<'_>,
    balancer: &LoadBalancer,
    action: &Action,
    tls: bool,
) -> Result<(), Error> {
    network::check_action(balancer.kind, action)?;
    check_versions(cx, action, tls)?;
    for (arn, _) in action.groups() {
        let group = target_group(cx, arn)?;
        if group.vpc != balancer.vpc {
            return Err(Error::InvalidConfiguration(format!(
                "The target group '{arn}' is in {}, the load balancer in {}: they must be in the same VPC",
                group.vpc, balancer.vpc
            )));
        }
        if !network::forwards_to(balancer.kind, group.protocol) {
            return Err(Error::InvalidConfiguration(format!(
                "The target group '{arn}' has the protocol {}, which {} load balancers do not forward to",
                group.protocol, balancer.kind
            )));
        }
        // As on AWS, a target group belongs to one load balancer.
        if balancers_of(cx.tx, arn).iter().any(|other| *other != balancer.arn) {
            return Err(Error::AssociationLimit(arn.to_string()));
        }
    }
    Ok(())
}

/// Clients speak HTTP/2 over TLS only, so targets of HTTP/2 and gRPC need an HTTPS listener.
pub(crate) fn check_versions(cx: &Cx<'_>, action: &Action, tls: bool) -> Result<(), Error> {
    for (arn, _) in action.groups().iter().filter(|_| !tls) {
        let group = target_group(cx, arn)?;
        if group.protocol.is_http() && group.version != TargetVersion::Http1 {
            return Err(Error::InvalidConfiguration(format!(
                "Listener protocol 'HTTP' is not supported with a target group with the protocol-version '{}'",
                group.version
            )));
        }
    }
    Ok(())
}

/// Cleans up groups that no listener or rule forwards to: deletes draining targets, which cannot have open requests any more,
/// and the observations of all targets, which the plane no longer checks.
pub(crate) fn clean_up_unused_groups(tx: &mut Tx) {
    let loose: Vec<String> = tx
        .scan::<TargetGroup>()
        .map(|g| g.arn.to_string())
        .filter(|arn| balancers_of(tx, arn).is_empty())
        .collect();
    for group in loose {
        let prefix = format!("{group}/");
        let targets: Vec<_> = tx.prefix::<Target>(&prefix).collect();
        for target in targets {
            let key = Target::key_of(&target.group, target.ip, target.port);
            tx.delete::<TargetSeen>(&key);
            if target.draining.is_some() {
                tx.delete::<Target>(&key);
            }
        }
    }
}

/// AWS's page sizes for this service are 1 to 400.
pub(crate) fn page_size(given: Option<usize>) -> Result<usize, Error> {
    match given {
        None => Ok(400),
        Some(n @ 1..=400) => Ok(n),
        Some(n) => Err(invalid(format!("PageSize {n} must be between 1 and 400"))),
    }
}

/// 256 bits.
pub(crate) fn new_cookie_key() -> Secret<String> {
    Secret::new(ids::random_hex(64))
}

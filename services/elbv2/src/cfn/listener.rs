//! `AWS::ElasticLoadBalancingV2::Listener` and `AWS::ElasticLoadBalancingV2::ListenerRule`.

use super::{balancer::served, only, shifted};
use crate::{
    error::invalid,
    ops::{
        create_listener::CreateListener, create_rule::CreateRule, delete_listener::DeleteListener,
        delete_rule::DeleteRule, describe_listeners::DescribeListeners, describe_rules::DescribeRules,
        modify_listener::ModifyListener, modify_rule::ModifyRule, set_rule_priorities::SetRulePriorities,
    },
    shapes, ssl_policies,
};
use escale_base::{
    AwsError, found,
    wire::{Map, Value},
};
use escale_service::{Created, Cx, InputDraft, Props, Readiness, ResourceType, Update, properties_of};
use escale_store::Image;
use escale_tables::elbv2::{Listener, LoadBalancer, Rule};
use serde_json::json;

const LISTENER_NAME: &str = "AWS::ElasticLoadBalancingV2::Listener";
const POLICY: &str = "SslPolicy";
const RULE_NAME: &str = "AWS::ElasticLoadBalancingV2::ListenerRule";

pub(super) const LISTENER: ResourceType = ResourceType::new(
    LISTENER_NAME,
    &["Certificates", "DefaultActions", "LoadBalancerArn", "Port", "Protocol", "SslPolicy"],
    create_listener,
    |cx, created| created.delete_by::<DeleteListener>(cx, "ListenerArn"),
)
.update(update_listener)
.read(read_listener)
.normalize(|properties| without_order(properties, "DefaultActions"))
.ready(|image, created| ready(image, created, image.get(&created.physical_id)));

pub(super) const RULE: ResourceType = ResourceType::new(
    RULE_NAME,
    &["Actions", "Conditions", "ListenerArn", "Priority"],
    create_rule,
    |cx, created| created.delete_by::<DeleteRule>(cx, "RuleArn"),
)
.update(update_rule)
.read(read_rule)
.normalize(|properties| without_order(properties, "Actions"))
.ready(|image, created| {
    let rule = image.get::<Rule>(&created.physical_id);
    ready(image, created, rule.and_then(|rule| image.get(&rule.listener)))
});

/// The order of a single action means nothing, and the API does not return it.
fn without_order(properties: &mut Map<String, Value>, list: &str) {
    if let Some([action]) = properties.get_mut(list).and_then(Value::as_array_mut).map(Vec::as_mut_slice) {
        action.as_object_mut().map(|action| action.remove("Order"));
    }
}

/// A listener or a rule is ready once the proxy applies it.
fn ready(image: &Image, created: &Created, listener: Option<std::sync::Arc<Listener>>) -> Readiness {
    match listener.and_then(|listener| image.get::<LoadBalancer>(&listener.load_balancer)) {
        Some(balancer) => served(image, &balancer),
        None => Readiness::Failed(format!("{} was deleted", created.physical_id)),
    }
}

fn create_listener(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let arn = only(props.input_without::<CreateListener>(&[]).call(cx)?.listeners)?.listener_arn;
    let created = Created::new(arn.as_str()).with("ListenerArn", arn);
    Ok(shifted::remember(created, props, "DefaultActions"))
}

/// In one request, so that every request of a client meets either the old listener or the new one.
fn update_listener(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let all = ["DefaultActions", "Port", "Protocol"];
    if let Some(missing) = all.iter().find(|name| update.after.get(name).is_none()) {
        // ModifyListener keeps what a request does not have, but no listener is created without it.
        return Err(invalid(format!("{missing} must be specified")).into());
    }
    if update.any_changed(&[all[0], all[1], all[2], "Certificates", POLICY]) {
        // Unchanged actions stay as they are: ECS may have shifted their weights.
        let changed = &all[usize::from(!update.changed(all[0]))..];
        let input = update.after.input::<ModifyListener>(&[changed, &["Certificates"]].concat());
        // Without the property the listener gets the default policy; ModifyListener would keep the present one.
        let is_https = update.after.str("Protocol") == Some("HTTPS");
        let default = is_https.then_some(ssl_policies::DEFAULT);
        let policy = update.after.str(POLICY).or(default).map(str::to_owned);
        input.with(POLICY, &policy).with("ListenerArn", &update.created.physical_id).call(cx)?;
    }
    Ok(shifted::remember(update.created.clone(), update.after, all[0]))
}

fn read_listener(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let arns = vec![created.physical_id.clone()];
    let answer = found(InputDraft::<DescribeListeners>::new().with("ListenerArns", &arns).call(cx))?;
    let Some(answer) = answer else { return Ok(None) };
    let mut properties = properties_of(LISTENER_NAME, &only(answer.listeners)?, &[]);
    if let Some(row) = cx.tx.get::<Listener>(&created.physical_id) {
        let rule = shapes::default_rule_arn(&row.arn);
        shifted::restore(cx.tx, created, (&rule, &row.default), (&mut properties, "DefaultActions"));
    }
    Ok(Some(properties))
}

fn create_rule(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let arn = only(props.input_without::<CreateRule>(&[]).call(cx)?.rules)?.rule_arn;
    let created = Created::new(arn.as_str()).with("RuleArn", arn).with("IsDefault", false);
    Ok(shifted::remember(created, props, "Actions"))
}

fn update_rule(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let arn = &update.created.physical_id;
    // Unchanged actions stay as they are: ECS may have shifted their weights.
    let changed: Vec<&str> = ["Actions", "Conditions"].into_iter().filter(|p| update.changed(p)).collect();
    if !changed.is_empty() {
        let input = update.after.input::<ModifyRule>(&changed);
        input.with("RuleArn", arn).call(cx)?;
    }
    if update.changed("Priority") {
        let pairs = json!([{"RuleArn": arn, "Priority": update.after.read::<u32>("Priority")?}]);
        InputDraft::<SetRulePriorities>::new().with("RulePriorities", &pairs).call(cx)?;
    }
    Ok(shifted::remember(update.created.clone(), update.after, "Actions"))
}

fn read_rule(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let arns = vec![created.physical_id.clone()];
    let answer = found(InputDraft::<DescribeRules>::new().with("RuleArns", &arns).call(cx))?;
    let Some(answer) = answer else { return Ok(None) };
    let mut properties = properties_of(RULE_NAME, &only(answer.rules)?, &[]);
    if let Some(row) = cx.tx.get::<Rule>(&created.physical_id) {
        shifted::restore(cx.tx, created, (&row.arn, &row.action), (&mut properties, "Actions"));
    }
    Ok(Some(properties))
}

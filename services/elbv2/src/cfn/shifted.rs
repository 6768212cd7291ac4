//! Listener rules whose weights ECS changes: a deployment that shifts traffic would otherwise show as a drift of the rule.
//!
//! Decision 065.

use escale_base::wire::{Map, Value};
use escale_service::{Created, Props};
use escale_store::Image;
use escale_tables::{
    ecs,
    elbv2::{Action, TargetGroupArn},
};

/// A private value: the actions as the template has them.
const ACTIONS: &str = "Actions";

/// Remembers the actions of the template.
pub(super) fn remember(created: Created, props: &Props<'_>, property: &str) -> Created {
    match props.get(property) {
        Some(actions) => created.with_private(ACTIONS, actions.clone()),
        None => created,
    }
}

/// Puts the template's actions in place of the present ones if they differ only by what a service of ECS may change: the weights of
/// its two target groups.
pub(super) fn restore(
    image: &Image,
    created: &Created,
    (rule, action): (&str, &Action),
    (properties, property): (&mut Map<String, Value>, &str),
) {
    let Some(written) = created.private.get(ACTIONS) else { return };
    let Some(pair) = pair_of(image, rule) else { return };
    let is_of_pair = |arn: &str| pair.iter().any(|own| **own == *arn);
    let present = action.groups();
    let only_shifts = !present.is_empty() && present.iter().all(|(arn, _)| is_of_pair(arn));
    let named = groups_in(written);
    if only_shifts && !named.is_empty() && named.iter().all(|arn| is_of_pair(arn)) {
        properties.insert(property.into(), written.clone());
    }
}

/// The two target groups between which a service shifts the traffic of a rule.
fn pair_of(image: &Image, rule: &str) -> Option<[TargetGroupArn; 2]> {
    let services = image.scan::<ecs::Service>().filter(|service| service.deleted.is_none());
    let deployments = services.flat_map(|service| service.deployments.clone());
    deployments.flat_map(|deployment| deployment.load_balancers).find_map(|balancer| {
        let advanced = balancer.advanced_configuration?;
        let is_test = advanced.test_listener_rule.as_ref().is_some_and(|test| **test == *rule);
        let is_own = *advanced.production_listener_rule == *rule || is_test;
        Some([balancer.target_group_arn?, advanced.alternate_target_group_arn]).filter(|_| is_own)
    })
}

/// The target groups that the template's actions name.
fn groups_in(actions: &Value) -> Vec<String> {
    let text = |value: &Value| value["TargetGroupArn"].as_str().map(str::to_owned);
    let of_action = |action: &Value| {
        let tuples = action["ForwardConfig"]["TargetGroups"].as_array().cloned().unwrap_or_default();
        tuples.iter().filter_map(text).chain(text(action)).collect::<Vec<_>>()
    };
    actions.as_array().into_iter().flatten().flat_map(of_action).collect()
}

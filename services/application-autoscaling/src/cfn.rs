//! CloudFormation: scalable targets, with their scheduled actions, and scaling policies.

use crate::{
    Error,
    choices::{Dimension, Namespace},
    ops::{
        delete_scaling_policy::DeleteScalingPolicy, delete_scheduled_action::DeleteScheduledAction,
        deregister_scalable_target::DeregisterScalableTarget,
        describe_scalable_targets::DescribeScalableTargets,
        describe_scaling_policies::DescribeScalingPolicies,
        describe_scheduled_actions::DescribeScheduledActions, list_tags_for_resource::ListTagsForResource,
        put_scaling_policy::PutScalingPolicy, put_scheduled_action::PutScheduledAction,
        register_scalable_target::RegisterScalableTarget, tag_resource::TagResource,
        untag_resource::UntagResource,
    },
    reconcile, rules,
    shapes::{ActionShape, SuspendedState, TargetAction},
};
use escale_base::{
    AwsError, Timestamp, already_gone, found,
    wire::{Map, Value, Wire},
};
use escale_service::{
    Created, Cx, InputDraft, Named, Props, Readiness, ResourceType, Resources, Update, own_tags,
    properties_of,
};
use escale_store::Image;
use escale_tables::autoscaling::{Policy, ResourceId};

const TARGET: &str = "AWS::ApplicationAutoScaling::ScalableTarget";
const POLICY: &str = "AWS::ApplicationAutoScaling::ScalingPolicy";

pub(crate) fn types() -> Resources {
    let properties = &[
        "MaxCapacity",
        "MinCapacity",
        "ResourceId",
        "RoleARN",
        "ScalableDimension",
        "ScheduledActions",
        "ServiceNamespace",
        "SuspendedState",
        "Tags",
    ];
    let target = ResourceType::new(TARGET, properties, create_target, deregister);
    let properties = &[
        "PolicyName",
        "PolicyType",
        "ResourceId",
        "ScalableDimension",
        "ScalingTargetId",
        "ServiceNamespace",
        "StepScalingPolicyConfiguration",
        "TargetTrackingScalingPolicyConfiguration",
    ];
    let policy = ResourceType::new(POLICY, properties, create_policy, delete_policy);
    vec![
        target
            .ready(target_ready)
            .update(update_target)
            .read(read_target)
            .adopt(|_, id, _| Ok(described(id))),
        policy.update(update_policy).read(read_policy).adopt(|_, arn, _| Ok(described_policy(arn))),
    ]
}

/// The physical id of a scalable target: `service/CLUSTER/SERVICE|ecs:service:DesiredCount|ecs`.
fn target_id(resource: &str) -> String {
    format!("{resource}|{}|{}", rules::DIMENSION, Namespace::Ecs)
}

fn described(id: &str) -> Created {
    Created::new(id).with("Id", id)
}

/// The members that name a scalable target in every operation.
trait Names {
    fn of_target(self, resource: &str) -> Self;
}

impl<O: Named> Names for InputDraft<O> {
    fn of_target(self, resource: &str) -> InputDraft<O> {
        let named = self.with("ServiceNamespace", &Namespace::Ecs).with("ResourceId", &resource.to_owned());
        named.with("ScalableDimension", &rules::DIMENSION)
    }
}

/// The resource in a physical id or in the property `ScalingTargetId`.
fn resource_of(id: &str) -> Result<&str, Error> {
    match id.split('|').collect::<Vec<_>>().as_slice() {
        [resource, dimension, namespace] if dimension.parse() == Ok(rules::DIMENSION) => {
            let known: Option<Namespace> = namespace.parse().ok();
            known.filter(|n| *n == Namespace::Ecs).map(|_| *resource)
        }
        _ => None,
    }
    .ok_or_else(|| Error::Invalid(format!("{id} is not the id of a scalable target of an ECS service")))
}

/// A stack waits until the tasks that a new limit demands run: its services start with fewer.
fn target_ready(image: &Image, created: &Created) -> Readiness {
    let resource = resource_of(&created.physical_id).map(ResourceId::from);
    match resource.ok().and_then(|resource| reconcile::missing_tasks(image, &resource)) {
        Some(why) => Readiness::Pending(why),
        None => Readiness::ready(),
    }
}

fn create_target(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let input = props.input_without::<RegisterScalableTarget>(&["ScheduledActions", "Tags"]);
    input.with("Tags", &rules::tag_map(&props.tags()?)).call(cx)?;
    let resource = props.text("ResourceId")?;
    let actions: Option<Vec<ActionProps>> = props.read("ScheduledActions")?;
    put_actions(cx, resource, actions.unwrap_or_default())?;
    Ok(described(&target_id(resource)))
}

/// A scheduled action in a template. It has its times as text.
#[derive(Clone, Debug, PartialEq, Wire)]
struct ActionProps {
    scheduled_action_name: String,
    schedule: String,
    timezone: Option<String>,
    start_time: Option<String>,
    end_time: Option<String>,
    scalable_target_action: Option<TargetAction>,
}

fn put_actions(cx: &mut Cx<'_>, resource: &str, actions: Vec<ActionProps>) -> Result<(), AwsError> {
    let time = |text: &Option<String>| {
        let parse = |text: &String| {
            let invalid = || Error::Invalid(format!("{text} is not a time in the form 2026-11-30T10:00:00Z"));
            Timestamp::parse_iso8601(text).ok_or_else(invalid)
        };
        text.as_ref().map(parse).transpose()
    };
    for action in actions {
        InputDraft::<PutScheduledAction>::new()
            .of_target(resource)
            .with("ScheduledActionName", &action.scheduled_action_name)
            .with("Schedule", &action.schedule)
            .with("Timezone", &action.timezone)
            .with("StartTime", &time(&action.start_time)?)
            .with("EndTime", &time(&action.end_time)?)
            .with("ScalableTargetAction", &action.scalable_target_action)
            .call(cx)?;
    }
    Ok(())
}

fn update_target(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let resource = resource_of(&update.created.physical_id)?.to_owned();
    if update.any_changed(&["MinCapacity", "MaxCapacity", "RoleARN", "SuspendedState"]) {
        let input = update.after.input_without::<RegisterScalableTarget>(&["ScheduledActions", "Tags"]);
        let suspended: Option<SuspendedState> = update.after.read("SuspendedState")?;
        // What the template does not suspend goes on.
        input.with("SuspendedState", &suspended.unwrap_or_default().whole()).call(cx)?;
    }
    let (removed, added) = update.list::<ActionProps>("ScheduledActions")?;
    for action in removed {
        let delete = InputDraft::<DeleteScheduledAction>::new().of_target(&resource);
        already_gone(delete.with("ScheduledActionName", &action.scheduled_action_name).call(cx))?;
    }
    put_actions(cx, &resource, added)?;
    let (set, removed) = update.tags()?;
    let arn = rules::registered(cx.tx, &resource.as_str().into())?.id;
    let arn = rules::target_arn(cx.config, &arn);
    if !set.is_empty() {
        let input = InputDraft::<TagResource>::new().with("ResourceARN", &arn);
        input.with("Tags", &rules::tag_map(&set)).call(cx)?;
    }
    if !removed.is_empty() {
        let input = InputDraft::<UntagResource>::new().with("ResourceARN", &arn);
        input.with("TagKeys", &removed).call(cx)?;
    }
    Ok(update.created.clone())
}

fn read_target(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let resource = resource_of(&created.physical_id)?.to_owned();
    let named = InputDraft::<DescribeScalableTargets>::new().with("ServiceNamespace", &Namespace::Ecs);
    let answer = named.with("ResourceIds", &vec![resource.clone()]).call(cx)?;
    let Some(target) = answer.scalable_targets.into_iter().next() else { return Ok(None) };
    let mut properties = properties_of(TARGET, &target, &[]);
    properties.insert("Tags".into(), {
        let tags = InputDraft::<ListTagsForResource>::new().with("ResourceARN", &target.scalable_target_arn);
        own_tags(&rules::tag_list(tags.call(cx)?.tags))
    });
    let actions = InputDraft::<DescribeScheduledActions>::new().with("ServiceNamespace", &Namespace::Ecs);
    let actions = actions.with("ResourceId", &resource).call(cx)?.scheduled_actions;
    if !actions.is_empty() {
        properties
            .insert("ScheduledActions".into(), actions.iter().map(|a| action_props(a).write()).collect());
    }
    Ok(Some(properties))
}

fn action_props(action: &ActionShape) -> ActionProps {
    let text = |time: Option<Timestamp>| time.map(|time| time.iso8601().replace(".000Z", "Z"));
    ActionProps {
        scheduled_action_name: action.scheduled_action_name.to_string(),
        schedule: action.schedule.to_string(),
        timezone: action.timezone.clone(),
        start_time: text(action.start_time),
        end_time: text(action.end_time),
        scalable_target_action: action.scalable_target_action,
    }
}

fn deregister(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let resource = resource_of(&created.physical_id)?.to_owned();
    already_gone(InputDraft::<DeregisterScalableTarget>::new().of_target(&resource).call(cx))
}

/// A policy names its target by the target's id, or by the three members of the API.
fn policy_input(props: &Props<'_>) -> Result<InputDraft<PutScalingPolicy>, AwsError> {
    let input = props.input_without::<PutScalingPolicy>(&["ScalingTargetId"]);
    let given: Option<Dimension> = props.read("ScalableDimension")?;
    match (props.str("ScalingTargetId"), given) {
        (Some(_), Some(_)) => {
            Err(props.invalid("ScalingTargetId excludes ResourceId, ScalableDimension and ServiceNamespace"))
        }
        (Some(id), None) => Ok(input.of_target(resource_of(id)?)),
        (None, _) => Ok(input),
    }
}

fn create_policy(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let put = policy_input(props)?.call(cx)?;
    Ok(described_policy(&put.policy_arn))
}

fn described_policy(arn: &str) -> Created {
    Created::new(arn).with("Arn", arn)
}

fn update_policy(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    policy_input(update.after)?.call(cx)?;
    Ok(update.created.clone())
}

fn policy_of(cx: &Cx<'_>, created: &Created) -> Option<std::sync::Arc<Policy>> {
    cx.tx.scan::<Policy>().find(|policy| policy.arn == created.physical_id)
}

fn read_policy(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let Some(policy) = policy_of(cx, created) else { return Ok(None) };
    let input = InputDraft::<DescribeScalingPolicies>::new().with("ServiceNamespace", &Namespace::Ecs);
    let input = input.with("ResourceId", &policy.resource.to_string());
    let answer = found(input.with("PolicyNames", &vec![policy.name.clone()]).call(cx))?;
    let policy = answer.and_then(|answer| answer.scaling_policies.into_iter().next());
    Ok(policy.map(|policy| properties_of(POLICY, &policy, &[])))
}

fn delete_policy(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let Some(policy) = policy_of(cx, created) else { return Ok(()) };
    let input = InputDraft::<DeleteScalingPolicy>::new().of_target(&policy.resource);
    already_gone(input.with("PolicyName", &policy.name).call(cx))
}

#[cfg(test)]
mod tests;

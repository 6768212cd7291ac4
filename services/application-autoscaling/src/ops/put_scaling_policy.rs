//! <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScalingPolicy.html>

use crate::{
    Error,
    choices::{Dimension, Namespace, PolicyType},
    rules,
    shapes::{self, AlarmShape, StepShape, TrackingShape},
    tracking,
};
use escale_base::{AwsError, Wire, ids};
use escale_service::{Cx, Operation};
use escale_tables::{
    autoscaling::{Policy, PolicyKind, PolicyName, ResourceId},
    cloudwatch::AlarmName,
};

pub(crate) struct PutScalingPolicy;

#[derive(Wire)]
pub(crate) struct Input {
    policy_name: PolicyName,
    service_namespace: Namespace,
    resource_id: String,
    scalable_dimension: Dimension,
    policy_type: Option<PolicyType>,
    step_scaling_policy_configuration: Option<StepShape>,
    target_tracking_scaling_policy_configuration: Option<TrackingShape>,
}

#[derive(Wire)]
pub(crate) struct Output {
    #[wire("PolicyARN")]
    pub(crate) policy_arn: String,
    alarms: Vec<AlarmShape>,
}

impl Operation for PutScalingPolicy {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        rules::target_resource(cx, &input.resource_id)
    }

    /// Creates a policy or replaces its whole configuration. The alarms of target tracking are a part of it.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let resource =
            rules::resource(input.service_namespace, &input.resource_id, input.scalable_dimension)?;
        rules::registered(cx.tx, &resource)?;
        let name = input.policy_name.clone();
        if name.contains(['|', ':', '/']) {
            return Err(Error::Invalid(format!(
                "The policy name {name} may not have the characters |, : and /"
            )));
        }
        let before = cx.tx.get::<Policy>(&Policy::key_of(&resource, &name)).map(|policy| (*policy).clone());
        if before.is_none() && rules::policies_of(cx.tx, &resource).count() >= rules::POLICIES {
            return Err(Error::Limit(format!("A scalable target can have {} policies", rules::POLICIES)));
        }
        let kind = kind(input, &resource)?;
        let new = || rules::policy_arn(cx.config, &ids::random_uuid(), &resource, &name);
        let policy = Policy {
            arn: before.as_ref().map_or_else(new, |before| before.arn.clone()),
            created: before.as_ref().map_or(cx.now, |before| before.created),
            kind: keep_alarms(kind, before.as_ref()),
            resource,
            name,
        };
        // The policy exists before its alarms do: they check their actions.
        cx.tx.put(policy.clone());
        if let PolicyKind::TargetTracking(tracking) = &policy.kind {
            tracking::put_alarms(cx, &policy, tracking)?;
        }
        let kept = own_alarms(&policy.kind);
        let old = before.iter().flat_map(|before| own_alarms(&before.kind));
        let left: Vec<&AlarmName> = old.filter(|name| !kept.contains(name)).collect();
        tracking::delete_alarms(cx, left)?;
        let alarms = shapes::alarms(cx.tx, cx.config, &policy.arn);
        Ok(Output { policy_arn: policy.arn, alarms })
    }
}

fn kind(input: Input, resource: &ResourceId) -> Result<PolicyKind, Error> {
    let step = input.step_scaling_policy_configuration;
    let tracking = input.target_tracking_scaling_policy_configuration;
    match (input.policy_type.unwrap_or(PolicyType::Step), step, tracking) {
        (predictive @ PolicyType::Predictive, ..) => {
            Err(AwsError::not_supported(format_args!("The policy type {predictive}"))
                .hint("Use TargetTrackingScaling or StepScaling.")
                .into())
        }
        (PolicyType::Step, Some(step), None) => step.read().map(PolicyKind::Step),
        (PolicyType::TargetTracking, None, Some(tracking)) => {
            let alarm = |kind: &str| format!("TargetTracking-{resource}-{kind}-{}", ids::random_uuid());
            tracking.read(alarm).map(PolicyKind::TargetTracking)
        }
        (of, ..) => Err(Error::Invalid(format!(
            "A policy of the type {of} needs exactly one configuration, that of its type"
        ))),
    }
}

/// A changed policy keeps the names of its alarms, and so their states.
fn keep_alarms(kind: PolicyKind, before: Option<&Policy>) -> PolicyKind {
    match (kind, before.map(|before| &before.kind)) {
        (PolicyKind::TargetTracking(mut new), Some(PolicyKind::TargetTracking(old))) => {
            new.high = old.high.clone();
            new.low = new.low.map(|low| old.low.clone().unwrap_or(low));
            PolicyKind::TargetTracking(new)
        }
        (kind, _) => kind,
    }
}

/// The alarms that a policy made.
fn own_alarms(kind: &PolicyKind) -> Vec<&AlarmName> {
    match kind {
        PolicyKind::TargetTracking(tracking) => [&tracking.high].into_iter().chain(&tracking.low).collect(),
        PolicyKind::Step(_) => Vec::new(),
    }
}

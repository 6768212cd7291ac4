//! AWS's shapes of targets, policies and actions, and how they are stored.

use crate::{
    Error, adjust,
    choices::{Dimension, MetricType, Namespace, PolicyType},
    rules,
};
use escale_base::{AwsError, Timestamp, Wire};
use escale_service::Config;
use escale_store::Image;
use escale_tables::{
    autoscaling::{
        Activity, ActivityStatus, AdjustmentType, CustomMetric, MetricAggregation, NotScaled, NotScaledCode,
        Policy, PolicyKind, PolicyName, Predefined, ScalableTarget, Schedule, ScheduledAction,
        ScheduledActionName, StepAdjustment, StepScaling, Suspended, TargetTracking, TrackedMetric,
    },
    cloudwatch::{
        Alarm, Dimension as MetricDimension, Metric, MetricDataQuery, MetricStat, StandardUnit, Statistic,
    },
};

#[derive(Clone, Copy, Debug, Default, Wire)]
pub(crate) struct SuspendedState {
    dynamic_scaling_in_suspended: Option<bool>,
    dynamic_scaling_out_suspended: Option<bool>,
    scheduled_scaling_suspended: Option<bool>,
}

impl SuspendedState {
    /// What the request does not name stays as it is.
    pub(crate) fn over(self, before: Suspended) -> Suspended {
        Suspended {
            scale_in: self.dynamic_scaling_in_suspended.unwrap_or(before.scale_in),
            scale_out: self.dynamic_scaling_out_suspended.unwrap_or(before.scale_out),
            scheduled: self.scheduled_scaling_suspended.unwrap_or(before.scheduled),
        }
    }

    /// What it does not name is not suspended.
    pub(crate) fn whole(self) -> SuspendedState {
        SuspendedState::of(self.over(Suspended::default()))
    }

    fn of(stored: Suspended) -> SuspendedState {
        SuspendedState {
            dynamic_scaling_in_suspended: Some(stored.scale_in),
            dynamic_scaling_out_suspended: Some(stored.scale_out),
            scheduled_scaling_suspended: Some(stored.scheduled),
        }
    }
}

#[derive(Debug, Wire)]
pub(crate) struct TargetShape {
    service_namespace: Namespace,
    pub(crate) resource_id: String,
    scalable_dimension: Dimension,
    pub(crate) min_capacity: u32,
    pub(crate) max_capacity: u32,
    #[wire("RoleARN")]
    role_arn: String,
    creation_time: Timestamp,
    pub(crate) suspended_state: SuspendedState,
    #[wire("ScalableTargetARN")]
    pub(crate) scalable_target_arn: String,
}

pub(crate) fn target(config: &Config, target: &ScalableTarget) -> TargetShape {
    TargetShape {
        service_namespace: Namespace::Ecs,
        resource_id: target.resource.to_string(),
        scalable_dimension: rules::DIMENSION,
        min_capacity: target.min,
        max_capacity: target.max,
        role_arn: rules::role_arn(config),
        creation_time: target.created,
        suspended_state: SuspendedState::of(target.suspended),
        scalable_target_arn: rules::target_arn(config, &target.id),
    }
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct PredefinedShape {
    predefined_metric_type: MetricType,
    resource_label: Option<String>,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct CustomShape {
    metric_name: Option<String>,
    namespace: Option<String>,
    dimensions: Vec<MetricDimension>,
    statistic: Option<Statistic>,
    unit: Option<String>,
    metrics: Vec<QueryShape>,
}

/// A query of an alarm without its period, which is a minute.
#[derive(Clone, Debug, Wire)]
pub(crate) struct QueryShape {
    id: String,
    expression: Option<String>,
    label: Option<String>,
    metric_stat: Option<StatShape>,
    return_data: Option<bool>,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct StatShape {
    metric: Metric,
    stat: String,
    unit: Option<String>,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct TrackingShape {
    target_value: f64,
    predefined_metric_specification: Option<PredefinedShape>,
    customized_metric_specification: Option<CustomShape>,
    scale_out_cooldown: Option<u32>,
    scale_in_cooldown: Option<u32>,
    disable_scale_in: Option<bool>,
}

impl TrackingShape {
    /// With the names of its alarms.
    pub(crate) fn read(self, alarm: impl Fn(&str) -> String) -> Result<TargetTracking, Error> {
        // The range that AWS's messages give.
        if !(self.target_value > 0.0 && self.target_value.is_finite()) {
            return Err(Error::Invalid(format!(
                "TargetValue must be greater than 0, it is {}",
                self.target_value
            )));
        }
        let metric = match (self.predefined_metric_specification, self.customized_metric_specification) {
            (Some(predefined), None) => predefined.read()?,
            (None, Some(custom)) => TrackedMetric::Custom(custom.read()?),
            _ => {
                return Err(Error::Invalid(
                    "Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must be specified"
                        .into(),
                ));
            }
        };
        let scales_in = self.disable_scale_in != Some(true);
        Ok(TargetTracking {
            target: self.target_value,
            metric,
            out_cooldown_secs: self.scale_out_cooldown,
            in_cooldown_secs: self.scale_in_cooldown,
            disable_scale_in: self.disable_scale_in,
            high: alarm("AlarmHigh").into(),
            low: scales_in.then(|| alarm("AlarmLow").into()),
        })
    }

    fn of(stored: &TargetTracking) -> TrackingShape {
        let (predefined, custom) = match &stored.metric {
            TrackedMetric::Predefined(of, label) => (Some(PredefinedShape::of(*of, label)), None),
            TrackedMetric::Custom(custom) => (None, Some(CustomShape::of(custom))),
        };
        TrackingShape {
            target_value: stored.target,
            predefined_metric_specification: predefined,
            customized_metric_specification: custom,
            scale_out_cooldown: stored.out_cooldown_secs,
            scale_in_cooldown: stored.in_cooldown_secs,
            disable_scale_in: stored.disable_scale_in,
        }
    }
}

impl PredefinedShape {
    fn read(self) -> Result<TrackedMetric, Error> {
        let predefined = match self.predefined_metric_type {
            MetricType::Cpu => Predefined::Cpu,
            MetricType::Memory => Predefined::Memory,
            MetricType::Requests => Predefined::Requests,
            high @ (MetricType::CpuHighResolution | MetricType::MemoryHighResolution) => {
                return Err(AwsError::not_supported(format_args!("The predefined metric {high}"))
                    .hint("Use the metric without HighResolution.")
                    .into());
            }
        };
        match (predefined, &self.resource_label) {
            (Predefined::Requests, None) => {
                return Err(Error::Invalid("ALBRequestCountPerTarget needs a ResourceLabel".into()));
            }
            (Predefined::Requests, Some(label)) => drop(dimensions_of_label(label)?),
            (_, Some(_)) => {
                return Err(Error::Invalid("A ResourceLabel is only for ALBRequestCountPerTarget".into()));
            }
            (_, None) => {}
        }
        Ok(TrackedMetric::Predefined(predefined, self.resource_label))
    }

    fn of(predefined: Predefined, label: &Option<String>) -> PredefinedShape {
        let predefined_metric_type = match predefined {
            Predefined::Cpu => MetricType::Cpu,
            Predefined::Memory => MetricType::Memory,
            Predefined::Requests => MetricType::Requests,
        };
        PredefinedShape { predefined_metric_type, resource_label: label.clone() }
    }
}

/// `app/NAME/ID/targetgroup/NAME/ID`, as dimensions of CloudWatch.
pub(crate) fn dimensions_of_label(label: &str) -> Result<Vec<MetricDimension>, Error> {
    let parts: Vec<&str> = label.split('/').collect();
    let ["app", _, _, "targetgroup", _, _] = parts.as_slice() else {
        return Err(Error::Invalid(format!(
            "Invalid resource label: {label}. It must be app/<name>/<id>/targetgroup/<name>/<id>: the ends of the ARNs of a load balancer and \
             its target group"
        )));
    };
    let dimension =
        |name: &str, value: &[&str]| MetricDimension { name: name.into(), value: value.join("/") };
    Ok(vec![dimension("LoadBalancer", &parts[..3]), dimension("TargetGroup", &parts[3..])])
}

impl CustomShape {
    fn read(self) -> Result<CustomMetric, Error> {
        if !self.metrics.is_empty() {
            let is_single = self.metric_name.is_some()
                || self.namespace.is_some()
                || self.statistic.is_some()
                || self.unit.is_some()
                || !self.dimensions.is_empty();
            if is_single {
                return Err(Error::Invalid(
                    "Metrics excludes MetricName, Namespace, Dimensions, Statistic and Unit".into(),
                ));
            }
            return self
                .metrics
                .into_iter()
                .map(QueryShape::read)
                .collect::<Result<_, _>>()
                .map(CustomMetric::Queries);
        }
        let missing = |what| Error::Invalid(format!("CustomizedMetricSpecification needs {what}"));
        Ok(CustomMetric::Single {
            namespace: self.namespace.ok_or_else(|| missing("Namespace"))?,
            name: self.metric_name.ok_or_else(|| missing("MetricName"))?,
            dimensions: self.dimensions,
            statistic: self.statistic.ok_or_else(|| missing("Statistic"))?,
            unit: unit(self.unit)?,
        })
    }

    fn of(stored: &CustomMetric) -> CustomShape {
        let empty = CustomShape {
            metric_name: None,
            namespace: None,
            dimensions: Vec::new(),
            statistic: None,
            unit: None,
            metrics: Vec::new(),
        };
        match stored {
            CustomMetric::Queries(queries) => {
                CustomShape { metrics: queries.iter().map(QueryShape::of).collect(), ..empty }
            }
            CustomMetric::Single { namespace, name, dimensions, statistic, unit } => CustomShape {
                metric_name: Some(name.clone()),
                namespace: Some(namespace.clone()),
                dimensions: dimensions.clone(),
                statistic: Some(*statistic),
                unit: unit.map(|unit| unit.to_string()),
                metrics: Vec::new(),
            },
        }
    }
}

/// The model has no enumeration of units here.
fn unit(text: Option<String>) -> Result<Option<StandardUnit>, Error> {
    let parse = |text: String| text.parse().map_err(|_| Error::Invalid(format!("Invalid unit: {text}")));
    text.map(parse).transpose()
}

/// The period of the alarms of target tracking.
pub(crate) const PERIOD_SECS: i64 = 60;

impl QueryShape {
    fn read(self) -> Result<MetricDataQuery, Error> {
        let stat = |stat: StatShape| {
            let unit = unit(stat.unit)?;
            Ok::<_, Error>(MetricStat { metric: stat.metric, period: PERIOD_SECS, stat: stat.stat, unit })
        };
        Ok(MetricDataQuery {
            id: self.id,
            metric_stat: self.metric_stat.map(stat).transpose()?,
            expression: self.expression,
            label: self.label,
            return_data: self.return_data,
            period: None,
        })
    }

    fn of(stored: &MetricDataQuery) -> QueryShape {
        let stat = |stat: &MetricStat| StatShape {
            metric: stat.metric.clone(),
            stat: stat.stat.clone(),
            unit: stat.unit.map(|unit| unit.to_string()),
        };
        QueryShape {
            id: stored.id.clone(),
            expression: stored.expression.clone(),
            label: stored.label.clone(),
            metric_stat: stored.metric_stat.as_ref().map(stat),
            return_data: stored.return_data,
        }
    }
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct StepAdjustmentShape {
    metric_interval_lower_bound: Option<f64>,
    metric_interval_upper_bound: Option<f64>,
    scaling_adjustment: i32,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct StepShape {
    adjustment_type: Option<AdjustmentType>,
    step_adjustments: Vec<StepAdjustmentShape>,
    min_adjustment_magnitude: Option<u32>,
    cooldown: Option<u32>,
    metric_aggregation_type: Option<MetricAggregation>,
}

impl StepShape {
    pub(crate) fn read(self) -> Result<StepScaling, Error> {
        let missing = || Error::Invalid("StepScalingPolicyConfiguration needs an AdjustmentType".into());
        let step = |step: &StepAdjustmentShape| StepAdjustment {
            lower: step.metric_interval_lower_bound,
            upper: step.metric_interval_upper_bound,
            adjustment: step.scaling_adjustment,
        };
        let steps: Vec<StepAdjustment> = self.step_adjustments.iter().map(step).collect();
        if steps.len() > rules::STEPS {
            return Err(Error::Limit(format!("A policy can have at most {} step adjustments", rules::STEPS)));
        }
        adjust::check(&steps)?;
        let adjustment = self.adjustment_type.ok_or_else(missing)?;
        if adjustment != AdjustmentType::Percent && self.min_adjustment_magnitude.is_some() {
            return Err(Error::Invalid(
                "MinAdjustmentMagnitude can only be specified for PercentChangeInCapacity".into(),
            ));
        }
        Ok(StepScaling {
            adjustment,
            steps,
            min_magnitude: self.min_adjustment_magnitude,
            cooldown_secs: self.cooldown,
            aggregation: self.metric_aggregation_type,
        })
    }

    fn of(stored: &StepScaling) -> StepShape {
        let step = |step: &StepAdjustment| StepAdjustmentShape {
            metric_interval_lower_bound: step.lower,
            metric_interval_upper_bound: step.upper,
            scaling_adjustment: step.adjustment,
        };
        StepShape {
            adjustment_type: Some(stored.adjustment),
            step_adjustments: stored.steps.iter().map(step).collect(),
            min_adjustment_magnitude: stored.min_magnitude,
            cooldown: stored.cooldown_secs,
            metric_aggregation_type: stored.aggregation,
        }
    }
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct AlarmShape {
    alarm_name: String,
    #[wire("AlarmARN")]
    alarm_arn: String,
}

/// The alarms that invoke a policy.
pub(crate) fn alarms(image: &Image, config: &Config, policy_arn: &str) -> Vec<AlarmShape> {
    let invokes = |alarm: &std::sync::Arc<Alarm>| alarm.actions.all().any(|action| action == policy_arn);
    let shape = |alarm: std::sync::Arc<Alarm>| AlarmShape {
        alarm_name: alarm.name.to_string(),
        alarm_arn: escale_base::Arn::new(
            "cloudwatch",
            &config.region,
            &config.account,
            format!("alarm:{}", alarm.name),
        )
        .to_string(),
    };
    image.scan::<Alarm>().filter(invokes).map(shape).collect()
}

#[derive(Debug, Wire)]
pub(crate) struct PolicyShape {
    #[wire("PolicyARN")]
    pub(crate) policy_arn: String,
    pub(crate) policy_name: PolicyName,
    service_namespace: Namespace,
    resource_id: String,
    scalable_dimension: Dimension,
    policy_type: PolicyType,
    step_scaling_policy_configuration: Option<StepShape>,
    target_tracking_scaling_policy_configuration: Option<TrackingShape>,
    alarms: Vec<AlarmShape>,
    creation_time: Timestamp,
}

pub(crate) fn policy(image: &Image, config: &Config, policy: &Policy) -> PolicyShape {
    let (policy_type, step, tracking) = match &policy.kind {
        PolicyKind::Step(step) => (PolicyType::Step, Some(StepShape::of(step)), None),
        PolicyKind::TargetTracking(tracking) => {
            (PolicyType::TargetTracking, None, Some(TrackingShape::of(tracking)))
        }
    };
    PolicyShape {
        policy_arn: policy.arn.clone(),
        policy_name: policy.name.clone(),
        service_namespace: Namespace::Ecs,
        resource_id: policy.resource.to_string(),
        scalable_dimension: rules::DIMENSION,
        policy_type,
        step_scaling_policy_configuration: step,
        target_tracking_scaling_policy_configuration: tracking,
        alarms: alarms(image, config, &policy.arn),
        creation_time: policy.created,
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Wire)]
pub(crate) struct TargetAction {
    pub(crate) min_capacity: Option<u32>,
    pub(crate) max_capacity: Option<u32>,
}

#[derive(Debug, Wire)]
pub(crate) struct ActionShape {
    pub(crate) scheduled_action_name: ScheduledActionName,
    #[wire("ScheduledActionARN")]
    scheduled_action_arn: String,
    service_namespace: Namespace,
    pub(crate) schedule: Schedule,
    pub(crate) timezone: Option<String>,
    resource_id: String,
    scalable_dimension: Dimension,
    pub(crate) start_time: Option<Timestamp>,
    pub(crate) end_time: Option<Timestamp>,
    pub(crate) scalable_target_action: Option<TargetAction>,
    creation_time: Timestamp,
}

pub(crate) fn action(action: &ScheduledAction) -> ActionShape {
    ActionShape {
        scheduled_action_name: action.name.clone(),
        scheduled_action_arn: action.arn.clone(),
        service_namespace: Namespace::Ecs,
        schedule: action.schedule.clone(),
        timezone: action.timezone.clone(),
        resource_id: action.resource.to_string(),
        scalable_dimension: rules::DIMENSION,
        start_time: action.start,
        end_time: action.end,
        scalable_target_action: Some(TargetAction { min_capacity: action.min, max_capacity: action.max }),
        creation_time: action.created,
    }
}

#[derive(Debug, Wire)]
pub(crate) struct NotScaledShape {
    code: NotScaledCode,
    max_capacity: Option<u32>,
    min_capacity: Option<u32>,
    current_capacity: Option<u32>,
}

impl NotScaledShape {
    fn of(stored: NotScaled) -> NotScaledShape {
        let of = |code| (stored.code == code).then_some(stored.capacity);
        let (max_capacity, min_capacity) = (of(NotScaledCode::AtMax), of(NotScaledCode::AtMin));
        let current_capacity = of(NotScaledCode::AtDesired).or(of(NotScaledCode::AnticipatedFlapping));
        NotScaledShape { code: stored.code, max_capacity, min_capacity, current_capacity }
    }
}

#[derive(Debug, Wire)]
pub(crate) struct ActivityShape {
    pub(crate) activity_id: String,
    service_namespace: Namespace,
    resource_id: String,
    scalable_dimension: Dimension,
    description: String,
    cause: String,
    start_time: Timestamp,
    end_time: Option<Timestamp>,
    status_code: ActivityStatus,
    status_message: Option<String>,
    not_scaled_reasons: Vec<NotScaledShape>,
}

pub(crate) fn activity(activity: &Activity) -> ActivityShape {
    ActivityShape {
        activity_id: activity.id.to_string(),
        service_namespace: Namespace::Ecs,
        resource_id: activity.resource.to_string(),
        scalable_dimension: rules::DIMENSION,
        description: activity.description.clone(),
        cause: activity.cause.clone(),
        start_time: activity.started,
        end_time: activity.ended,
        status_code: activity.status,
        status_message: activity.message.clone(),
        not_scaled_reasons: activity.not_scaled.map(NotScaledShape::of).into_iter().collect(),
    }
}

//! AWS's shapes of scaling policies.

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
        AdjustmentType, CustomMetric, MetricAggregation, Policy, PolicyKind, PolicyName, Predefined,
        StepAdjustment, StepScaling, TargetTracking, TrackedMetric,
    },
    cloudwatch::{
        Alarm, Dimension as MetricDimension, Metric, MetricDataQuery, MetricStat, StandardUnit, Statistic,
    },
};

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

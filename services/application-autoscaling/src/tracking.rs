//! The alarms of a target tracking policy: it makes them, and deletes them with itself.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-autoscaling-targettracking.html>: three minutes
//! above the target scale out, fifteen minutes more than ten percent below it scale in.

use crate::{
    Error,
    rules::PRINCIPAL,
    shapes::{PERIOD_SECS, dimensions_of_label},
};
use escale_base::already_gone;
use escale_requests::cloudwatch::{DeleteAlarms, PutMetricAlarm};
use escale_service::Cx;
use escale_tables::{
    autoscaling::{CustomMetric, Policy, Predefined, ResourceId, TargetTracking, TrackedMetric},
    cloudwatch::{AlarmName, ComparisonOperator, Dimension, Statistic},
};

const HIGH_PERIODS: u32 = 3;
const LOW_PERIODS: u32 = 15;
/// The lower alarm's threshold, as a share of the target.
const LOW_SHARE: f64 = 0.9;

pub(crate) fn put_alarms(cx: &mut Cx<'_>, policy: &Policy, tracking: &TargetTracking) -> Result<(), Error> {
    let high = (ComparisonOperator::Greater, tracking.target, HIGH_PERIODS);
    put(cx, policy, tracking, &tracking.high, high)?;
    if let Some(name) = &tracking.low {
        // Rounded, so that 90 % of 0.7 is 0.63.
        let threshold = (tracking.target * LOW_SHARE * 1e9).round() / 1e9;
        put(cx, policy, tracking, name, (ComparisonOperator::Less, threshold, LOW_PERIODS))?;
    }
    Ok(())
}

fn put(
    cx: &mut Cx<'_>,
    policy: &Policy,
    tracking: &TargetTracking,
    name: &AlarmName,
    (comparison_operator, threshold, evaluation_periods): (ComparisonOperator, f64, u32),
) -> Result<(), Error> {
    let mut request = PutMetricAlarm {
        alarm_name: name.to_string(),
        alarm_description: format!("DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {}.", policy.arn),
        alarm_actions: vec![policy.arn.clone()],
        namespace: None,
        metric_name: None,
        dimensions: Vec::new(),
        statistic: None,
        unit: None,
        period: None,
        metrics: Vec::new(),
        evaluation_periods,
        threshold,
        comparison_operator,
    };
    watch(&mut request, &policy.resource, &tracking.metric)?;
    Ok(cx.call_as(PRINCIPAL, request)?)
}

fn watch(request: &mut PutMetricAlarm, resource: &ResourceId, metric: &TrackedMetric) -> Result<(), Error> {
    let mut single = |namespace: &str, name: &str, dimensions, statistic| {
        (request.namespace, request.metric_name) = (Some(namespace.to_owned()), Some(name.to_owned()));
        (request.dimensions, request.statistic) = (dimensions, Some(statistic));
        request.period = Some(PERIOD_SECS);
    };
    match metric {
        TrackedMetric::Predefined(Predefined::Requests, label) => {
            let dimensions = dimensions_of_label(label.as_deref().unwrap_or_default())?;
            single("AWS/ApplicationELB", "RequestCountPerTarget", dimensions, Statistic::Sum);
        }
        TrackedMetric::Predefined(Predefined::Cpu, _) => {
            single("AWS/ECS", "CPUUtilization", of_service(resource), Statistic::Average);
        }
        TrackedMetric::Predefined(Predefined::Memory, _) => {
            single("AWS/ECS", "MemoryUtilization", of_service(resource), Statistic::Average);
        }
        TrackedMetric::Custom(CustomMetric::Single { namespace, name, dimensions, statistic, unit }) => {
            single(namespace, name, dimensions.clone(), *statistic);
            request.unit = *unit;
        }
        TrackedMetric::Custom(CustomMetric::Queries(queries)) => request.metrics = queries.clone(),
    }
    Ok(())
}

fn of_service(resource: &ResourceId) -> Vec<Dimension> {
    let (cluster, service) = resource.service_key().split_once('/').unwrap_or_default();
    let dimension = |name: &str, value: &str| Dimension { name: name.into(), value: value.into() };
    vec![dimension("ClusterName", cluster), dimension("ServiceName", service)]
}

/// Users can delete alarms, too.
pub(crate) fn delete_alarms<'a>(
    cx: &mut Cx<'_>,
    names: impl IntoIterator<Item = &'a AlarmName>,
) -> Result<(), Error> {
    for name in names {
        already_gone(cx.call_as(PRINCIPAL, DeleteAlarms { alarm_names: vec![name.to_string()] }))?;
    }
    Ok(())
}

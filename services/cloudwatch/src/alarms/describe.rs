//! An alarm as DescribeAlarms shows it.

use super::{arn, composite, state::not_evaluated};
use escale_base::{Timestamp, Wire};
use escale_service::Config;
use escale_store::Image;
use escale_tables::cloudwatch::{
    Alarm, AlarmName, AlarmSeen, ComparisonOperator, CompositeAlarm, Dimension, LowSampleCount,
    MetricDataQuery, MissingData, StandardUnit, StateValue, Statistic, SuppressedBy, Watch,
};

#[derive(Wire)]
pub(crate) struct MetricAlarmOutput {
    alarm_name: AlarmName,
    alarm_arn: String,
    alarm_description: Option<String>,
    alarm_configuration_updated_timestamp: Timestamp,
    actions_enabled: bool,
    #[wire("OKActions")]
    ok_actions: Vec<String>,
    alarm_actions: Vec<String>,
    insufficient_data_actions: Vec<String>,
    pub(crate) state_value: StateValue,
    state_reason: String,
    state_reason_data: Option<String>,
    state_updated_timestamp: Timestamp,
    state_transitioned_timestamp: Timestamp,
    metric_name: Option<String>,
    namespace: Option<String>,
    statistic: Option<Statistic>,
    extended_statistic: Option<String>,
    dimensions: Vec<Dimension>,
    period: Option<i64>,
    unit: Option<StandardUnit>,
    evaluation_periods: u32,
    datapoints_to_alarm: Option<u32>,
    threshold: f64,
    comparison_operator: ComparisonOperator,
    treat_missing_data: Option<MissingData>,
    evaluate_low_sample_count_percentile: Option<LowSampleCount>,
    metrics: Option<Vec<MetricDataQuery>>,
}

pub(crate) fn describe(image: &Image, config: &Config, alarm: &Alarm) -> MetricAlarmOutput {
    let seen = image.get::<AlarmSeen>(&alarm.name).map(|seen| (*seen).clone());
    let seen = seen.unwrap_or_else(|| not_evaluated(&alarm.into()));
    let rule = &alarm.rule;
    let mut output = MetricAlarmOutput {
        alarm_name: alarm.name.clone(),
        alarm_arn: arn(config, &alarm.name),
        alarm_description: alarm.description.clone(),
        alarm_configuration_updated_timestamp: alarm.updated,
        actions_enabled: alarm.actions_enabled,
        ok_actions: alarm.actions.ok.clone(),
        alarm_actions: alarm.actions.alarm.clone(),
        insufficient_data_actions: alarm.actions.insufficient_data.clone(),
        state_value: seen.state,
        state_reason: seen.reason,
        state_reason_data: seen.reason_data,
        state_updated_timestamp: seen.updated,
        state_transitioned_timestamp: seen.transitioned,
        metric_name: None,
        namespace: None,
        statistic: None,
        extended_statistic: None,
        dimensions: Vec::new(),
        period: None,
        unit: None,
        evaluation_periods: rule.evaluation_periods,
        datapoints_to_alarm: rule.datapoints_to_alarm,
        threshold: rule.threshold,
        comparison_operator: rule.comparison,
        treat_missing_data: rule.missing,
        evaluate_low_sample_count_percentile: rule.low_samples,
        metrics: None,
    };
    match &alarm.watch {
        Watch::Queries(queries) => output.metrics = Some(queries.clone()),
        Watch::Metric { metric, statistic, extended, unit, period_secs } => {
            output.metric_name = metric.metric_name.clone();
            output.namespace = metric.namespace.clone();
            output.dimensions = metric.dimensions.clone();
            (output.statistic, output.extended_statistic) = (*statistic, extended.clone());
            (output.unit, output.period) = (*unit, Some(*period_secs));
        }
    }
    output
}

#[derive(Wire)]
pub(crate) struct CompositeAlarmOutput {
    alarm_name: AlarmName,
    alarm_arn: String,
    alarm_description: Option<String>,
    alarm_configuration_updated_timestamp: Timestamp,
    alarm_rule: String,
    actions_enabled: bool,
    #[wire("OKActions")]
    ok_actions: Vec<String>,
    alarm_actions: Vec<String>,
    insufficient_data_actions: Vec<String>,
    pub(crate) state_value: StateValue,
    state_reason: String,
    state_reason_data: Option<String>,
    state_updated_timestamp: Timestamp,
    state_transitioned_timestamp: Timestamp,
    actions_suppressed_by: Option<SuppressedBy>,
    actions_suppressed_reason: Option<String>,
    actions_suppressor: Option<String>,
    actions_suppressor_wait_period: Option<u32>,
    actions_suppressor_extension_period: Option<u32>,
}

pub(crate) fn describe_composite(
    image: &Image,
    config: &Config,
    alarm: &CompositeAlarm,
) -> CompositeAlarmOutput {
    let seen = image.get::<AlarmSeen>(&alarm.name).map(|seen| (*seen).clone());
    let seen = seen.unwrap_or_else(|| not_evaluated(&alarm.into()));
    let (by, why) = composite::suppressed(image, config, alarm).unzip();
    let suppressor = alarm.suppressor.as_ref();
    CompositeAlarmOutput {
        alarm_name: alarm.name.clone(),
        alarm_arn: arn(config, &alarm.name),
        alarm_description: alarm.description.clone(),
        alarm_configuration_updated_timestamp: alarm.updated,
        alarm_rule: alarm.rule.clone(),
        actions_enabled: alarm.actions_enabled,
        ok_actions: alarm.actions.ok.clone(),
        alarm_actions: alarm.actions.alarm.clone(),
        insufficient_data_actions: alarm.actions.insufficient_data.clone(),
        state_value: seen.state,
        state_reason: seen.reason,
        state_reason_data: seen.reason_data,
        state_updated_timestamp: seen.updated,
        state_transitioned_timestamp: seen.transitioned,
        actions_suppressed_by: by,
        actions_suppressed_reason: why,
        actions_suppressor: suppressor.map(|s| s.alarm.to_string()),
        actions_suppressor_wait_period: suppressor.map(|s| s.wait_s),
        actions_suppressor_extension_period: suppressor.map(|s| s.extension_s),
    }
}

//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>

use crate::{
    Error,
    alarms::{arn, check_actions, period_secs, record_put},
    choices::{ComparisonInput, StandardUnit, Statistic},
    metric::{Stat, labels},
    query::Queries,
};
use escale_base::{AwsError, Tag, Wire};
use escale_service::{Cx, Operation};
use escale_tables::cloudwatch::{
    Actions, Alarm, AlarmName, ComparisonOperator, CompositeAlarm, Dimension, LowSampleCount, Metric,
    MetricDataQuery, MissingData, Rule, Watch,
};

pub(crate) struct PutMetricAlarm;

#[derive(Wire)]
pub(crate) struct Input {
    alarm_name: AlarmName,
    alarm_description: Option<String>,
    actions_enabled: Option<bool>,
    #[wire("OKActions")]
    ok_actions: Vec<String>,
    alarm_actions: Vec<String>,
    insufficient_data_actions: Vec<String>,
    metric_name: Option<String>,
    namespace: Option<String>,
    statistic: Option<Statistic>,
    extended_statistic: Option<String>,
    dimensions: Vec<Dimension>,
    period: Option<i64>,
    unit: Option<StandardUnit>,
    evaluation_periods: Option<u32>,
    datapoints_to_alarm: Option<u32>,
    threshold: Option<f64>,
    comparison_operator: Option<ComparisonInput>,
    treat_missing_data: Option<String>,
    evaluate_low_sample_count_percentile: Option<String>,
    metrics: Vec<MetricDataQuery>,
    tags: Vec<Tag>,
}

const DAY_SECS: i64 = 86_400;

/// AWS's limits of an expression's queries, and of a resource's tags.
const QUERIES: usize = 10;

impl Operation for PutMetricAlarm {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![arn(cx.config, &input.alarm_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        if cx.tx.has::<CompositeAlarm>(&input.alarm_name) {
            return Err(Error::Validation(format!(
                "There is a composite alarm named {}. Choose another name, or delete it first.",
                input.alarm_name
            )));
        }
        let watch = watch(&input)?;
        let rule = rule(&input)?;
        check_range(&watch, &rule)?;
        let actions = Actions {
            ok: input.ok_actions,
            alarm: input.alarm_actions,
            insufficient_data: input.insufficient_data_actions,
        };
        check_actions(cx.cloud(), actions.all())?;
        let before = cx.tx.get::<Alarm>(&input.alarm_name);
        let alarm = Alarm {
            description: input.alarm_description,
            actions_enabled: input.actions_enabled.unwrap_or(true),
            actions,
            watch,
            rule,
            // Tags of an existing alarm are changed by TagResource only.
            tags: before.as_ref().map_or(input.tags, |old| old.tags.clone()),
            created: before.as_ref().map_or(cx.now, |old| old.created),
            updated: cx.now,
            name: input.alarm_name,
        };
        record_put(cx, &alarm.name, before.is_some());
        cx.tx.put(alarm);
        Ok(())
    }
}

fn watch(input: &Input) -> Result<Watch, Error> {
    if !input.metrics.is_empty() {
        let is_single = input.metric_name.is_some()
            || input.namespace.is_some()
            || input.statistic.is_some()
            || input.extended_statistic.is_some()
            || !input.dimensions.is_empty()
            || input.period.is_some()
            || input.unit.is_some();
        if is_single {
            return Err(Error::Combination(
                "Metrics list must not be specified with MetricName, Namespace, Dimensions, Period, Unit, Statistic, or ExtendedStatistic.".into(),
            ));
        }
        if input.metrics.len() > QUERIES {
            return Err(Error::Validation(format!(
                "The collection Metrics must not have more than {QUERIES} members."
            )));
        }
        let compared = input.metrics.iter().filter(|q| q.return_data != Some(false)).count();
        if compared != 1 {
            return Err(Error::Validation(
                "Exactly one element of the metrics list should return data.".into(),
            ));
        }
        if Queries::check(&input.metrics)?.has_search() {
            return Err(Error::Validation(
                "SEARCH is not supported on Metric Alarms. Name the metrics in queries of their own.".into(),
            ));
        }
        return Ok(Watch::Queries(input.metrics.clone()));
    }
    let missing = |what: &str| Error::Missing(format!("The parameter {what} must be specified."));
    let (metric_name, namespace) = (input.metric_name.clone(), input.namespace.clone());
    if metric_name.is_none() {
        return Err(missing("MetricName"));
    }
    if namespace.is_none() {
        return Err(missing("Namespace"));
    }
    labels(&input.dimensions)?;
    match (input.statistic, &input.extended_statistic) {
        (Some(_), Some(_)) => {
            return Err(Error::Combination("Statistic and ExtendedStatistic are mutually exclusive.".into()));
        }
        (None, None) => return Err(missing("Statistic or ExtendedStatistic")),
        (None, Some(text)) if !Stat::parse(text)?.is_extended() => {
            return Err(Error::InvalidValue(format!(
                "The value {text} for parameter ExtendedStatistic is not supported."
            )));
        }
        _ => {}
    }
    let period_secs = input.period.ok_or_else(|| missing("Period"))?;
    if !(matches!(period_secs, 10 | 20 | 30) || (period_secs > 0 && period_secs % 60 == 0)) {
        return Err(Error::Validation(format!(
            "Period must be 10, 20, 30 or a multiple of 60; it is {period_secs}."
        )));
    }
    Ok(Watch::Metric {
        metric: Metric { namespace, metric_name, dimensions: input.dimensions.clone() },
        statistic: input.statistic,
        extended: input.extended_statistic.clone(),
        unit: input.unit,
        period_secs,
    })
}

fn rule(input: &Input) -> Result<Rule, Error> {
    let missing = |what: &str| Error::Missing(format!("The parameter {what} must be specified."));
    let evaluation_periods = input.evaluation_periods.ok_or_else(|| missing("EvaluationPeriods"))?;
    let threshold = input.threshold.ok_or_else(|| missing("Threshold"))?;
    let comparison = input.comparison_operator.ok_or_else(|| missing("ComparisonOperator"))?;
    let comparison = match comparison {
        ComparisonInput::GreaterOrEqual => ComparisonOperator::GreaterOrEqual,
        ComparisonInput::Greater => ComparisonOperator::Greater,
        ComparisonInput::Less => ComparisonOperator::Less,
        ComparisonInput::LessOrEqual => ComparisonOperator::LessOrEqual,
        band => {
            return Err(AwsError::not_supported(format_args!("The comparison operator {band}"))
                .hint("It is for anomaly detection. Compare with a threshold.")
                .into());
        }
    };
    if input.datapoints_to_alarm.is_some_and(|needed| needed > evaluation_periods || needed == 0) {
        return Err(Error::Validation("DatapointsToAlarm must be from 1 to EvaluationPeriods.".into()));
    }
    let invalid = |name: &str, text: &str| {
        Error::Validation(format!("The value {text} for parameter {name} is not supported."))
    };
    let text = input.treat_missing_data.as_deref();
    let missing =
        text.map(|t| t.parse::<MissingData>().map_err(|_| invalid("TreatMissingData", t))).transpose()?;
    let text = input.evaluate_low_sample_count_percentile.as_deref();
    let low =
        |t: &str| t.parse::<LowSampleCount>().map_err(|_| invalid("EvaluateLowSampleCountPercentile", t));
    let low_samples = text.map(low).transpose()?;
    let datapoints_to_alarm = input.datapoints_to_alarm;
    Ok(Rule { comparison, threshold, evaluation_periods, datapoints_to_alarm, missing, low_samples })
}

/// At most a day, or a week for periods of an hour and more.
fn check_range(watch: &Watch, rule: &Rule) -> Result<(), Error> {
    let period = period_secs(watch);
    let most = if period >= 3600 { 7 * DAY_SECS } else { DAY_SECS };
    if rule.evaluation_periods == 0 || period.saturating_mul(i64::from(rule.evaluation_periods)) > most {
        return Err(Error::Validation(format!(
            "Metrics cannot be checked across more than {} (EvaluationPeriods * Period must be <= {most}).",
            if most == DAY_SECS { "a day" } else { "7 days" }
        )));
    }
    Ok(())
}

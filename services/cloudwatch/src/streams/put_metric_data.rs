//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html>

use crate::{Error, Monitor, choices::StandardUnit, metric};
use escale_base::{Timestamp, Wire};
use escale_metrics::{Datum, Distribution, Series, Summary};
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::cloudwatch::Dimension;
use std::sync::Arc;

pub(crate) struct PutMetricData;

#[derive(Wire)]
pub(crate) struct Input {
    namespace: String,
    metric_data: Vec<MetricDatum>,
}

#[derive(Default, Wire)]
struct MetricDatum {
    metric_name: String,
    dimensions: Vec<Dimension>,
    timestamp: Option<Timestamp>,
    value: Option<f64>,
    statistic_values: Option<StatisticSet>,
    values: Vec<f64>,
    counts: Vec<f64>,
    unit: Option<StandardUnit>,
    storage_resolution: Option<i64>,
}

#[derive(Wire)]
struct StatisticSet {
    sample_count: f64,
    sum: f64,
    minimum: f64,
    maximum: f64,
}

const HOUR_MS: i64 = 3_600_000;
/// AWS's limits: metrics of a request, values of a metric, and the range of a value.
const METRICS: usize = 1000;
const VALUES: usize = 150;
const LARGEST: f64 = 2.348_542_582_773_833e108;

impl StreamOperation<Monitor> for PutMetricData {
    type Input = Input;
    type Output = ();
    type Error = Error;

    async fn run(
        service: Arc<Monitor>,
        cx: StreamCx,
        input: Input,
        _: Body,
    ) -> Result<StreamReply<()>, Error> {
        let data = check(input, cx.now, cx.config.clock_speed > 1)?;
        service.plane.put(data, cx.now).await?;
        Ok(().into())
    }
}

fn check(input: Input, now: Timestamp, fine: bool) -> Result<Vec<Datum>, Error> {
    let space = input.namespace;
    if space.starts_with("AWS/") {
        return Err(Error::InvalidValue(format!(
            "The value {space} for parameter Namespace is invalid. Names that begin with AWS/ are AWS's own."
        )));
    }
    if input.metric_data.is_empty() {
        return Err(Error::Missing("The parameter MetricData is required.".into()));
    }
    if input.metric_data.len() > METRICS {
        return Err(Error::InvalidValue(format!(
            "The collection MetricData must not have more than {METRICS} members."
        )));
    }
    let mut data = Vec::with_capacity(input.metric_data.len());
    for (index, datum) in input.metric_data.into_iter().enumerate() {
        let member = format!("MetricData.member.{}", index + 1);
        let at = datum.timestamp.unwrap_or(now);
        if at < now.plus_ms(-14 * 24 * HOUR_MS) || at > now.plus_ms(2 * HOUR_MS) {
            return Err(Error::InvalidValue(format!(
                "The parameter {member}.Timestamp must specify a time no more than two weeks in the past and two hours in the future."
            )));
        }
        let fine = fine
            | match datum.storage_resolution {
                None | Some(60) => false,
                Some(1) => true,
                Some(other) => {
                    return Err(Error::InvalidValue(format!(
                        "The parameter {member}.StorageResolution must be 1 or 60; it is {other}."
                    )));
                }
            };
        let summary = summary(&member, &datum)?;
        let unit = datum.unit.unwrap_or(StandardUnit::None).as_str().to_owned();
        let labels = metric::labels(&datum.dimensions)?;
        let series = Series { space: space.clone(), name: datum.metric_name, labels, unit };
        data.push(Datum { series, at, fine, summary });
    }
    Ok(data)
}

fn summary(member: &str, datum: &MetricDatum) -> Result<Summary, Error> {
    let given = (datum.value, &datum.statistic_values, datum.values.as_slice());
    let checked = |name: &str, value: f64| {
        let is_valid = value.is_finite() && value.abs() <= LARGEST;
        let invalid =
            || Error::InvalidValue(format!("The value {value} for parameter {member}.{name} is invalid."));
        is_valid.then_some(value).ok_or_else(invalid)
    };
    match given {
        (None, None, []) => Err(Error::Missing(format!(
            "At least one of the parameters {member}.Value, {member}.Values and {member}.StatisticValues must be specified."
        ))),
        (Some(value), None, []) => {
            no_counts(member, datum)?;
            Ok(Summary::of(checked("Value", value)?))
        }
        (None, Some(set), []) => {
            no_counts(member, datum)?;
            let (count, sum) = (checked("SampleCount", set.sample_count)?, checked("Sum", set.sum)?);
            let (min, max) = (checked("Minimum", set.minimum)?, checked("Maximum", set.maximum)?);
            if count <= 0.0 || min > max {
                return Err(Error::InvalidValue(format!(
                    "The parameter {member}.StatisticValues must have a SampleCount above 0, and a Minimum that is not above the Maximum."
                )));
            }
            let distribution = (min == max).then(|| Distribution::of(min, count));
            Ok(Summary { count, sum, min, max, distribution })
        }
        (None, None, values) => listed(member, values, &datum.counts, checked),
        _ => Err(Error::Combination(format!(
            "The parameters {member}.Value, {member}.Values and {member}.StatisticValues are mutually exclusive and you have specified more than one."
        ))),
    }
}

fn no_counts(member: &str, datum: &MetricDatum) -> Result<(), Error> {
    match datum.counts.is_empty() {
        true => Ok(()),
        false => Err(Error::Combination(format!(
            "The parameter {member}.Counts needs the parameter {member}.Values."
        ))),
    }
}

fn listed(
    member: &str,
    values: &[f64],
    counts: &[f64],
    checked: impl Fn(&str, f64) -> Result<f64, Error>,
) -> Result<Summary, Error> {
    if values.len() > VALUES {
        return Err(Error::InvalidValue(format!(
            "The collection {member}.Values must not have more than {VALUES} members."
        )));
    }
    if !counts.is_empty() && counts.len() != values.len() {
        return Err(Error::InvalidValue(format!(
            "The parameters {member}.Values and {member}.Counts must have the same size."
        )));
    }
    let mut total: Option<Summary> = None;
    for (index, value) in values.iter().enumerate() {
        let count = checked("Counts", counts.get(index).copied().unwrap_or(1.0))?;
        if count < 0.0 {
            return Err(Error::InvalidValue(format!("The parameter {member}.Counts must not be negative.")));
        }
        if count == 0.0 {
            continue;
        }
        let one = Summary::repeated(checked("Values", *value)?, count);
        match &mut total {
            Some(total) => total.add(&one),
            None => total = Some(one),
        }
    }
    total.ok_or_else(|| {
        Error::InvalidValue(format!("The parameter {member}.Counts must have a value above 0."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_base::AwsError;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn input(datum: MetricDatum) -> Input {
        Input { namespace: "Shop".into(), metric_data: vec![datum] }
    }

    fn code(input: Input) -> String {
        AwsError::from(check(input, NOW, false).unwrap_err()).code
    }

    #[test]
    fn reads_each_form_of_values() {
        let value = MetricDatum { value: Some(3.0), ..Default::default() };
        assert_eq!(check(input(value), NOW, false).unwrap()[0].summary, Summary::of(3.0));
        let many = MetricDatum { values: vec![1.0, 5.0], counts: vec![3.0, 1.0], ..Default::default() };
        let summary = &check(input(many), NOW, false).unwrap()[0].summary;
        assert_eq!((summary.count, summary.sum, summary.min, summary.max), (4.0, 8.0, 1.0, 5.0));
        let set = StatisticSet { sample_count: 4.0, sum: 8.0, minimum: 1.0, maximum: 5.0 };
        let set =
            MetricDatum { statistic_values: Some(set), storage_resolution: Some(1), ..Default::default() };
        let datum = &check(input(set), NOW, false).unwrap()[0];
        assert_eq!((datum.summary.count, datum.summary.distribution.as_ref(), datum.fine), (4.0, None, true));
    }

    #[test]
    fn refuses_what_aws_refuses() {
        let day = 24 * HOUR_MS;
        let valued = || MetricDatum { value: Some(1.0), ..Default::default() };
        assert_eq!(code(input(MetricDatum::default())), "MissingParameter");
        assert_eq!(code(input(MetricDatum { values: vec![1.0], ..valued() })), "InvalidParameterCombination");
        assert_eq!(
            code(input(MetricDatum { value: Some(f64::INFINITY), ..valued() })),
            "InvalidParameterValue"
        );
        assert_eq!(
            code(input(MetricDatum { timestamp: Some(NOW.plus_ms(-15 * day)), ..valued() })),
            "InvalidParameterValue"
        );
        assert_eq!(
            code(input(MetricDatum { timestamp: Some(NOW.plus_ms(3 * HOUR_MS)), ..valued() })),
            "InvalidParameterValue"
        );
        assert_eq!(
            code(input(MetricDatum { storage_resolution: Some(10), ..valued() })),
            "InvalidParameterValue"
        );
        let twice = || Dimension { name: "A".into(), value: "b".into() };
        assert_eq!(
            code(input(MetricDatum { dimensions: vec![twice(), twice()], ..valued() })),
            "InvalidParameterValue"
        );
        assert_eq!(code(Input { namespace: "AWS/ECS".into(), ..input(valued()) }), "InvalidParameterValue");
    }
}

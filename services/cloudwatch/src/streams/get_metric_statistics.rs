//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html>

use crate::{
    Error, Monitor,
    choices::{StandardUnit, Statistic},
    metric::{Catalog, Stat, aligned_start, check_period},
};
use escale_base::{Timestamp, Wire};
use escale_metrics::{Point, Window};
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::cloudwatch::{Dimension, Metric};
use std::{collections::BTreeMap, sync::Arc};

pub(crate) struct GetMetricStatistics;

#[derive(Wire)]
pub(crate) struct Input {
    namespace: String,
    metric_name: String,
    dimensions: Vec<Dimension>,
    start_time: Timestamp,
    end_time: Timestamp,
    period: i64,
    statistics: Vec<Statistic>,
    extended_statistics: Vec<String>,
    unit: Option<StandardUnit>,
}

#[derive(Wire)]
pub(crate) struct Output {
    label: String,
    datapoints: Vec<Datapoint>,
}

#[derive(Wire)]
struct Datapoint {
    timestamp: Timestamp,
    sample_count: Option<f64>,
    average: Option<f64>,
    sum: Option<f64>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    unit: Option<StandardUnit>,
    extended_statistics: Option<BTreeMap<String, f64>>,
}

/// AWS's limit of one answer.
const DATAPOINTS: i64 = 1440;

impl StreamOperation<Monitor> for GetMetricStatistics {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(
        service: Arc<Monitor>,
        cx: StreamCx,
        input: Input,
        _: Body,
    ) -> Result<StreamReply<Output>, Error> {
        let window = window(&input, cx.now)?;
        let percentiles = percentiles(&input)?;
        let metric = Metric {
            namespace: Some(input.namespace),
            metric_name: Some(input.metric_name.clone()),
            dimensions: input.dimensions,
        };
        let mut datapoints = Vec::new();
        for series in Catalog::read(&*service.plane).await?.series(&metric, input.unit)? {
            for point in service.plane.read(&series, window).await? {
                datapoints.push(datapoint(&point, &series.unit, &input.statistics, &percentiles));
            }
        }
        datapoints.sort_by_key(|d| d.timestamp);
        Ok(Output { label: input.metric_name, datapoints }.into())
    }
}

fn window(input: &Input, now: Timestamp) -> Result<Window, Error> {
    let period = check_period("Period", input.period)?;
    if input.start_time >= input.end_time {
        return Err(Error::InvalidValue(
            "The parameter StartTime must be less than the parameter EndTime.".into(),
        ));
    }
    let window = Window {
        from: aligned_start(input.start_time.secs(), now.secs(), period),
        until: input.end_time.secs(),
        step_secs: period,
    };
    let asked = (window.until - window.from) / period;
    if asked > DATAPOINTS {
        return Err(Error::Combination(format!(
            "You have requested up to {asked} datapoints, which exceeds the limit of {DATAPOINTS}. You may reduce the datapoints requested by increasing Period, or decreasing the time range."
        )));
    }
    Ok(window)
}

fn percentiles(input: &Input) -> Result<Vec<(String, Stat)>, Error> {
    if input.statistics.is_empty() && input.extended_statistics.is_empty() {
        return Err(Error::Missing(
            "At least one of the parameters Statistics and ExtendedStatistics must be specified.".into(),
        ));
    }
    let read = |text: &String| match Stat::parse(text)? {
        stat if stat.is_extended() => Ok((text.clone(), stat)),
        _ => Err(Error::InvalidValue(format!(
            "The value {text} for parameter ExtendedStatistics is not supported."
        ))),
    };
    input.extended_statistics.iter().map(read).collect()
}

fn datapoint(
    point: &Point,
    unit: &str,
    statistics: &[Statistic],
    percentiles: &[(String, Stat)],
) -> Datapoint {
    let value =
        |statistic, stat: Stat| statistics.contains(&statistic).then(|| stat.of(&point.summary)).flatten();
    let extended =
        percentiles.iter().filter_map(|(name, stat)| Some((name.clone(), stat.of(&point.summary)?)));
    Datapoint {
        timestamp: Timestamp(point.at * 1000),
        sample_count: value(Statistic::SampleCount, Stat::SampleCount),
        average: value(Statistic::Average, Stat::Average),
        sum: value(Statistic::Sum, Stat::Sum),
        minimum: value(Statistic::Minimum, Stat::Minimum),
        maximum: value(Statistic::Maximum, Stat::Maximum),
        unit: unit.parse().ok(),
        extended_statistics: (!percentiles.is_empty()).then(|| extended.collect()),
    }
}

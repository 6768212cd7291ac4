//! Metrics in AWS's shapes, and their statistics.

use crate::{
    Error,
    choices::StandardUnit,
    search::{self, Candidate, Search},
    trimmed::Trimmed,
};
use escale_base::Timestamp;
use escale_metrics::{Listed, Metrics, Point, Series, Summary, Window};
use escale_tables::cloudwatch::{Dimension, Metric};
use std::collections::BTreeMap;

/// Dimensions as labels, sorted. A repeated name is an error.
pub(crate) fn labels(dimensions: &[Dimension]) -> Result<Vec<(String, String)>, Error> {
    let mut labels: Vec<_> = dimensions.iter().map(|d| (d.name.clone(), d.value.clone())).collect();
    labels.sort();
    match labels.windows(2).find(|w| w[0].0 == w[1].0) {
        Some(twice) => Err(Error::InvalidValue(format!(
            "The parameter Dimensions has the dimension {} more than once.",
            twice[0].0
        ))),
        None => Ok(labels),
    }
}

/// A statistic of a period's values.
///
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html>
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stat {
    SampleCount,
    Average,
    Sum,
    Minimum,
    Maximum,
    /// With its percentage.
    Percentile(f64),
    Trimmed(Trimmed),
}

impl Stat {
    pub(crate) fn parse(text: &str) -> Result<Stat, Error> {
        Ok(match text {
            "SampleCount" => Stat::SampleCount,
            "Average" => Stat::Average,
            "Sum" => Stat::Sum,
            "Minimum" => Stat::Minimum,
            "Maximum" => Stat::Maximum,
            _ => {
                let percentage = text.strip_prefix('p').and_then(|p| p.parse::<f64>().ok());
                if let Some(p) = percentage.filter(|p| (0.0..=100.0).contains(p)) {
                    return Ok(Stat::Percentile(p));
                }
                if let Some(trimmed) = Trimmed::parse(text) {
                    return Ok(Stat::Trimmed(trimmed));
                }
                return Err(Error::InvalidValue(format!(
                    "The value {text} for parameter Stat is not supported."
                )));
            }
        })
    }

    /// `None` if the values were reported without what the statistic needs.
    pub(crate) fn of(self, summary: &Summary) -> Option<f64> {
        match self {
            Stat::SampleCount => Some(summary.count),
            Stat::Average => Some(summary.sum / summary.count),
            Stat::Sum => Some(summary.sum),
            Stat::Minimum => Some(summary.min),
            Stat::Maximum => Some(summary.max),
            Stat::Percentile(p) => {
                let value = summary.distribution.as_ref()?.quantile(p / 100.0)?;
                Some(value.clamp(summary.min, summary.max))
            }
            Stat::Trimmed(trimmed) => trimmed.of(summary),
        }
    }

    /// Whether it is one of those that AWS calls extended.
    pub(crate) fn is_extended(self) -> bool {
        matches!(self, Stat::Percentile(_) | Stat::Trimmed(_))
    }
}

/// The periods that AWS allows: 1, 5, 10, 20, 30 and multiples of 60.
pub(crate) fn check_period(name: &str, period: i64) -> Result<i64, Error> {
    if [1, 5, 10, 20, 30].contains(&period) || (period > 0 && period % 60 == 0) {
        return Ok(period);
    }
    Err(Error::InvalidValue(format!(
        "The parameter {name} must be 1, 5, 10, 20, 30, or a multiple of 60; it is {period}."
    )))
}

/// Namespace, name and labels of a metric.
type Key = (String, String, Vec<(String, String)>);

/// The series of the plane, for the lookups of one request.
pub(crate) struct Catalog(BTreeMap<Key, Units>);

/// The series of a metric.
#[derive(Default)]
struct Units {
    units: Vec<String>,
    /// When the last value of any of them arrived.
    written: Timestamp,
}

/// How long after its last value a metric is still found.
pub(crate) const FOUND_MS: i64 = 14 * 86_400_000;

impl Catalog {
    pub(crate) async fn read(plane: &dyn Metrics) -> Result<Catalog, Error> {
        let mut all = BTreeMap::new();
        for Listed { series, written } in plane.list().await? {
            let of_metric: &mut Units = all.entry((series.space, series.name, series.labels)).or_default();
            of_metric.units.push(series.unit);
            of_metric.written = of_metric.written.max(written);
        }
        Ok(Catalog(all))
    }

    /// The series of a metric, one for each unit, or that of one unit.
    pub(crate) fn series(&self, metric: &Metric, unit: Option<StandardUnit>) -> Result<Vec<Series>, Error> {
        let missing = |what: &str| Error::Missing(format!("The parameter {what} is required."));
        let space = metric.namespace.clone().ok_or_else(|| missing("Namespace"))?;
        let name = metric.metric_name.clone().ok_or_else(|| missing("MetricName"))?;
        let key = (space, name, labels(&metric.dimensions)?);
        let units = self.0.get(&key).map(|found| found.units.as_slice()).unwrap_or_default();
        let chosen = units.iter().filter(|u| unit.is_none_or(|unit| unit.as_str() == *u));
        Ok(chosen.map(|unit| series_of(&key, unit)).collect())
    }

    /// The metrics that a search selects, each with its label and its series, one for each unit.
    pub(crate) fn search(&self, search: &Search, now: Timestamp) -> Vec<(String, Vec<Series>)> {
        let recent = self.0.iter().filter(|(_, found)| now.since_ms(found.written) <= FOUND_MS);
        let chosen: Vec<(&Key, &Units)> =
            recent.filter(|(key, _)| search.selects(candidate_of(key))).collect();
        let labels = search::labels(&chosen.iter().map(|(key, _)| candidate_of(key)).collect::<Vec<_>>());
        let series =
            |(key, found): (&Key, &Units)| found.units.iter().map(|unit| series_of(key, unit)).collect();
        labels.into_iter().zip(chosen.into_iter().map(series)).collect()
    }
}

fn candidate_of((namespace, name, dimensions): &Key) -> Candidate<'_> {
    Candidate { namespace, name, dimensions }
}

fn series_of((space, name, labels): &Key, unit: &str) -> Series {
    Series { space: space.clone(), name: name.clone(), labels: labels.clone(), unit: unit.to_owned() }
}

/// The points of some series as if they were one.
pub(crate) async fn read_merged(
    plane: &dyn Metrics,
    series: &[Series],
    window: Window,
) -> Result<Vec<Point>, Error> {
    let mut all: BTreeMap<i64, Summary> = BTreeMap::new();
    for one in series {
        for point in plane.read(one, window).await? {
            match all.get_mut(&point.at) {
                Some(summary) => summary.add(&point.summary),
                None => drop(all.insert(point.at, point.summary)),
            }
        }
    }
    Ok(all.into_iter().map(|(at, summary)| Point { at, summary }).collect())
}

/// The start of a request as AWS rounds it: to the period if that is less than a minute, else to a minute, to five minutes for
/// data older than 15 days, and to an hour for data older than 63 days.
///
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>
pub(crate) fn aligned_start(start: i64, now: i64, period: i64) -> i64 {
    const DAY: i64 = 86_400;
    let step = match now - start {
        _ if period < 60 => period,
        age if age > 63 * DAY => 3600,
        age if age > 15 * DAY => 300,
        _ => 60,
    };
    start.div_euclid(step) * step
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_base::AwsError;

    #[test]
    fn statistics_of_a_period() {
        let mut summary = Summary::of(2.0);
        summary.add(&Summary::of(4.0));
        let of = |stat: &str| Stat::parse(stat).unwrap().of(&summary);
        assert_eq!((of("Average"), of("Sum"), of("SampleCount")), (Some(3.0), Some(6.0), Some(2.0)));
        assert_eq!(
            (of("Minimum"), of("Maximum"), of("p100"), of("p50")),
            (Some(2.0), Some(4.0), Some(4.0), Some(2.0))
        );
        summary.distribution = None;
        assert_eq!(Stat::Percentile(99.0).of(&summary), None);
    }

    #[test]
    fn refuses_other_statistics_by_name() {
        for text in ["p101", "Mean", "tm101", "TC(0.1)"] {
            let error = AwsError::from(Stat::parse(text).unwrap_err());
            assert_eq!(error.code, "InvalidParameterValue", "{text}");
            assert!(error.message.contains(text), "{}", error.message);
        }
        assert!(Stat::parse("TC(0.1:)").unwrap().is_extended());
    }

    #[test]
    fn start_is_rounded_down() {
        const NOW: i64 = 1_700_000_000;
        assert_eq!(aligned_start(NOW - 61, NOW, 60) % 60, 0);
        assert_eq!(aligned_start(NOW - 7, NOW, 10) % 10, 0);
        assert_eq!(aligned_start(NOW - 16 * 86_400, NOW, 300) % 300, 0);
        assert_eq!(aligned_start(NOW - 64 * 86_400, NOW, 3600) % 3600, 0);
    }
}

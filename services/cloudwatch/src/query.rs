//! Queries of values: metrics with a statistic, and expressions on them. GetMetricData and alarms share this.

use crate::{
    Error,
    math::{self, Context, Expression, Grid, Named, TimeSeries, Value},
    metric::{Catalog, Stat, check_period, read_merged},
    search::{SEARCHES, SERIES, Search},
};
use escale_base::{AwsError, Timestamp};
use escale_metrics::{Metrics, Series, Window};
use escale_tables::cloudwatch::{MetricDataQuery, MetricStat};
use std::collections::{BTreeMap, BTreeSet};

/// Checked queries, in an order in which each comes after those that it names.
pub(crate) struct Queries {
    ordered: Vec<Query>,
    /// The ids of queries that are metrics.
    metrics: Vec<String>,
}

struct Query {
    id: String,
    source: Source,
}

enum Source {
    Metric { of: MetricStat, stat: Stat },
    Expression { expression: Expression, searches: Vec<Search> },
}

/// The results of queries.
pub(crate) struct Answer {
    pub(crate) values: Named,
    /// Whether a search found more time series than it may return.
    pub(crate) is_cut: bool,
}

/// Datapoints of all queries together: they are held in memory.
pub(crate) const ALL_DATAPOINTS: i64 = 1_000_000;

impl Queries {
    pub(crate) fn check(queries: &[MetricDataQuery]) -> Result<Queries, Error> {
        let mut sources: BTreeMap<String, Source> = BTreeMap::new();
        for query in queries {
            check_id(&query.id)?;
            if let Some(dynamic) = query.label.as_ref().filter(|label| label.contains("${")) {
                let what = format_args!("The dynamic label {dynamic}");
                return Err(AwsError::not_supported(what).hint("Use a label without ${}.").into());
            }
            if sources.insert(query.id.clone(), source(query)?).is_some() {
                return Err(Error::Validation(format!(
                    "The id '{}' in MetricDataQueries is not unique.",
                    query.id
                )));
            }
        }
        let searches: usize = sources.values().map(|source| source.searches().len()).sum();
        if searches > SEARCHES {
            return Err(Error::Validation(format!(
                "The expressions have {searches} SEARCH functions; a request can have {SEARCHES}."
            )));
        }
        let is_metric = |q: &&MetricDataQuery| q.metric_stat.is_some();
        let metrics = queries.iter().filter(is_metric).map(|q| q.id.clone()).collect();
        Ok(Queries { ordered: ordered(sources)?, metrics })
    }

    pub(crate) fn has_search(&self) -> bool {
        self.ordered.iter().any(|query| !query.source.searches().is_empty())
    }

    /// The longest period of the metrics, and the shortest.
    pub(crate) fn periods(&self) -> (i64, i64) {
        let of = |query: &Query| -> Vec<i64> {
            match &query.source {
                Source::Metric { of, .. } => vec![of.period],
                Source::Expression { searches, .. } => searches.iter().map(|search| search.period).collect(),
            }
        };
        let periods = self.ordered.iter().flat_map(of);
        periods.fold((0, i64::MAX), |(longest, shortest), p| (longest.max(p), shortest.min(p)))
    }

    /// All results by id. `speed` shortens the periods: see the configuration.
    pub(crate) async fn run(
        &self,
        plane: &dyn Metrics,
        catalog: &Catalog,
        grid: Grid,
        (now, speed): (Timestamp, i64),
    ) -> Result<Answer, Error> {
        let (mut named, mut is_cut, mut datapoints) = (Named::new(), false, 0);
        for query in &self.ordered {
            let value = match &query.source {
                Source::Metric { of, stat } => {
                    let period = (of.period / speed).max(1);
                    let series = catalog.series(&of.metric, of.unit)?;
                    let label = of.metric.metric_name.clone();
                    Value::Series(read(plane, &series, (*stat, period), grid, label).await?)
                }
                Source::Expression { expression, searches } => {
                    let mut found = math::Found::new();
                    for search in searches {
                        let period = (search.period / speed).max(1);
                        let mut metrics = catalog.search(search, now);
                        is_cut |= metrics.len() > SERIES;
                        metrics.truncate(SERIES);
                        datapoints += metrics.len() as i64 * ((grid.until - grid.from) / period);
                        if datapoints > ALL_DATAPOINTS {
                            return Err(Error::Validation(format!(
                                "The searches find more than {ALL_DATAPOINTS} datapoints. Use a longer period, a shorter time range or narrower searches."
                            )));
                        }
                        let mut all = Vec::new();
                        for (label, series) in metrics {
                            all.push(read(plane, &series, (search.stat, period), grid, Some(label)).await?);
                        }
                        found.push((search.clone(), all));
                    }
                    Context { named: &named, metrics: &self.metrics, found: &found, grid }
                        .value(expression)?
                }
            };
            named.insert(query.id.clone(), value);
        }
        Ok(Answer { values: named, is_cut })
    }
}

impl Source {
    fn searches(&self) -> &[Search] {
        match self {
            Source::Metric { .. } => &[],
            Source::Expression { searches, .. } => searches,
        }
    }
}

/// The series of one metric as a time series.
async fn read(
    plane: &dyn Metrics,
    series: &[Series],
    (stat, period): (Stat, i64),
    grid: Grid,
    label: Option<String>,
) -> Result<TimeSeries, Error> {
    let window = Window { from: grid.from, until: grid.until, step_secs: period };
    let points = read_merged(plane, series, window).await?;
    let values = points.iter().filter_map(|p| Some((p.at, stat.of(&p.summary)?))).collect();
    Ok(TimeSeries { period, values, label })
}

/// AWS's form of ids, which expressions need.
fn check_id(id: &str) -> Result<(), Error> {
    let is_valid = id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_valid {
        return Ok(());
    }
    Err(Error::Validation(format!(
        "The value {id} for parameter MetricDataQueries.member.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$."
    )))
}

fn source(query: &MetricDataQuery) -> Result<Source, Error> {
    let id = &query.id;
    match (&query.metric_stat, &query.expression) {
        (Some(of), None) => {
            check_period("MetricStat.Period", of.period)?;
            if query.period.is_some() {
                return Err(Error::Validation(format!(
                    "The query '{id}' has a Period beside that of its MetricStat."
                )));
            }
            Ok(Source::Metric { of: of.clone(), stat: Stat::parse(&of.stat)? })
        }
        (None, Some(text)) => {
            let mut expression = math::parse(text)?;
            let mut searches = Vec::new();
            expression.searches(&mut searches);
            if let Some(period) = query.period {
                if searches.is_empty() {
                    let what = format_args!("The parameter Period of the expression '{id}'");
                    return Err(AwsError::not_supported(what)
                        .hint("An expression without SEARCH has the period of its metrics.")
                        .into());
                }
                // It replaces the period inside of the expression, as on AWS.
                let period = check_period("MetricDataQueries.member.Period", period)?;
                searches.iter_mut().for_each(|search| search.period = period);
            }
            let searches = searches.into_iter().map(|search| search.clone()).collect();
            Ok(Source::Expression { expression, searches })
        }
        _ => Err(Error::Validation(format!(
            "The query '{id}' must have either a MetricStat or an Expression."
        ))),
    }
}

fn ordered(mut sources: BTreeMap<String, Source>) -> Result<Vec<Query>, Error> {
    let known: BTreeSet<String> = sources.keys().cloned().collect();
    let mut ordered: Vec<Query> = Vec::new();
    while !sources.is_empty() {
        let is_ready = |source: &Source| {
            let mut ids = Vec::new();
            if let Source::Expression { expression, .. } = source {
                expression.ids(&mut ids);
                // METRICS() needs all metrics.
                return !sources.values().any(|s| matches!(s, Source::Metric { .. }))
                    && ids.iter().all(|id| !known.contains(*id) || ordered.iter().any(|q| q.id == *id));
            }
            true
        };
        let ready: Vec<String> =
            sources.iter().filter(|(_, s)| is_ready(s)).map(|(id, _)| id.clone()).collect();
        if ready.is_empty() {
            let ids: Vec<&str> = sources.keys().map(String::as_str).collect();
            return Err(Error::Validation(format!(
                "The expressions {} depend on each other.",
                ids.join(", ")
            )));
        }
        ordered.extend(
            ready.into_iter().filter_map(|id| sources.remove(&id).map(|source| Query { id, source })),
        );
    }
    Ok(ordered)
}

//! Queries of values: metrics with a statistic, and expressions on them. GetMetricData and alarms share this.

use crate::{
    Error,
    math::{self, Expression, Grid, Named, TimeSeries, Value},
    metric::{Catalog, Stat, check_period, read_merged},
};
use escale_base::AwsError;
use escale_metrics::{Metrics, Window};
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
    Expression(Expression),
}

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
        let is_metric = |q: &&MetricDataQuery| q.metric_stat.is_some();
        let metrics = queries.iter().filter(is_metric).map(|q| q.id.clone()).collect();
        Ok(Queries { ordered: ordered(sources)?, metrics })
    }

    /// The longest period of the metrics, and the shortest.
    pub(crate) fn periods(&self) -> (i64, i64) {
        let periods = self.ordered.iter().filter_map(|q| match &q.source {
            Source::Metric { of, .. } => Some(of.period),
            Source::Expression(_) => None,
        });
        periods.fold((0, i64::MAX), |(longest, shortest), p| (longest.max(p), shortest.min(p)))
    }

    /// All results by id. `speed` shortens the periods: see the configuration.
    pub(crate) async fn run(
        &self,
        plane: &dyn Metrics,
        catalog: &Catalog,
        grid: Grid,
        speed: i64,
    ) -> Result<Named, Error> {
        let mut named = Named::new();
        for query in &self.ordered {
            let value = match &query.source {
                Source::Metric { of, stat } => {
                    let period = (of.period / speed).max(1);
                    let window = Window { from: grid.from, until: grid.until, step_secs: period };
                    let points = read_merged(plane, &catalog.series(&of.metric, of.unit)?, window).await?;
                    let values = points.iter().filter_map(|p| Some((p.at, stat.of(&p.summary)?))).collect();
                    Value::Series(TimeSeries { period, values })
                }
                Source::Expression(expression) => math::evaluate(expression, &named, &self.metrics, grid)?,
            };
            named.insert(query.id.clone(), value);
        }
        Ok(named)
    }
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
            if query.period.is_some() {
                let what = format_args!("The parameter Period of the expression '{id}'");
                return Err(AwsError::not_supported(what)
                    .hint("An expression has the period of its metrics.")
                    .into());
            }
            Ok(Source::Expression(math::parse(text)?))
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
            if let Source::Expression(expression) = source {
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

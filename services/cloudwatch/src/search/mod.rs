//! Search expressions: which metrics a `SEARCH` selects, and how its time series are labelled. Pure.
//!
//! `query.rs` reads the query, `tokens.rs` compares its terms with the parts of names.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/search-expression-syntax.html>

mod query;
mod tokens;

use crate::{
    Error,
    metric::{Stat, check_period},
};
use query::Query;
use std::collections::BTreeSet;

/// The period of a search that names none.
const PERIOD: i64 = 300;

/// AWS's limits: the time series of a search, and the searches of a request.
pub(crate) const SERIES: usize = 500;
pub(crate) const SEARCHES: usize = 100;

/// `SEARCH('query', 'statistic', period)`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Search {
    query: Query,
    pub(crate) stat: Stat,
    pub(crate) period: i64,
}

/// What a search looks at of a metric.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) dimensions: &'a [(String, String)],
}

impl Search {
    pub(crate) fn parse(text: &str, stat: &str, period: Option<f64>) -> Result<Search, Error> {
        let query = Query::parse(text)?;
        let period = match period {
            None => PERIOD,
            Some(secs) if secs.fract() == 0.0 => check_period("Period of SEARCH", secs as i64)?,
            Some(secs) => {
                return Err(Error::Validation(format!(
                    "Error in expression: the period of SEARCH must be whole seconds; it is {secs}"
                )));
            }
        };
        Ok(Search { query, stat: Stat::parse(stat)?, period })
    }

    pub(crate) fn selects(&self, metric: Candidate<'_>) -> bool {
        self.query.selects(metric)
    }
}

/// A label for each metric: what distinguishes it from the others, which is its name if nothing does.
pub(crate) fn labels(metrics: &[Candidate<'_>]) -> Vec<String> {
    let differs = |of: &dyn Fn(&Candidate<'_>) -> Option<String>| {
        metrics.iter().map(of).collect::<BTreeSet<_>>().len() > 1
    };
    let names: BTreeSet<&str> =
        metrics.iter().flat_map(|m| m.dimensions.iter().map(|(name, _)| name.as_str())).collect();
    let value = |m: &Candidate<'_>, name: &str| {
        m.dimensions.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone())
    };
    let by_space = differs(&|m| Some(m.namespace.to_owned()));
    let by_name = differs(&|m| Some(m.name.to_owned()));
    let by_dimension: Vec<&str> = names.into_iter().filter(|name| differs(&|m| value(m, name))).collect();
    let label = |m: &Candidate<'_>| {
        let space = by_space.then(|| m.namespace.to_owned());
        let values = by_dimension.iter().filter_map(|name| value(m, name));
        let own_name = by_name.then(|| m.name.to_owned());
        let parts: Vec<String> = space.into_iter().chain(values).chain(own_name).collect();
        if parts.is_empty() { m.name.to_owned() } else { parts.join(" ") }
    };
    metrics.iter().map(label).collect()
}

#[cfg(test)]
mod tests;

//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>

use crate::{
    Error, Monitor,
    choices::{ScanBy, StatusCode},
    math::{Grid, TimeSeries, Value},
    metric::{Catalog, aligned_start},
    query::{ALL_DATAPOINTS, Answer, Queries},
    search::SERIES,
};
use escale_base::{Timestamp, Wire};
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::cloudwatch::MetricDataQuery;
use std::sync::Arc;

pub(crate) struct GetMetricData;

#[derive(Wire)]
pub(crate) struct Input {
    metric_data_queries: Vec<MetricDataQuery>,
    start_time: Timestamp,
    end_time: Timestamp,
    next_token: Option<String>,
    scan_by: Option<ScanBy>,
    max_datapoints: Option<i64>,
}

#[derive(Wire)]
pub(crate) struct Output {
    metric_data_results: Vec<MetricDataResult>,
    next_token: Option<String>,
    messages: Vec<MessageData>,
}

#[derive(Clone, Wire)]
struct MetricDataResult {
    id: String,
    label: String,
    timestamps: Vec<Timestamp>,
    values: Vec<f64>,
    status_code: StatusCode,
}

#[derive(Wire)]
struct MessageData {
    code: String,
    value: String,
}

/// AWS's limits of one request and one answer.
const QUERIES: usize = 500;
const DATAPOINTS: i64 = 100_800;

impl StreamOperation<Monitor> for GetMetricData {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(
        service: Arc<Monitor>,
        cx: StreamCx,
        input: Input,
        _: Body,
    ) -> Result<StreamReply<Output>, Error> {
        if input.start_time >= input.end_time {
            return Err(Error::Validation(
                "The parameter StartTime must be less than the parameter EndTime.".into(),
            ));
        }
        if input.metric_data_queries.is_empty() || input.metric_data_queries.len() > QUERIES {
            return Err(Error::Validation(format!(
                "The collection MetricDataQueries must have 1 to {QUERIES} members."
            )));
        }
        let most = match input.max_datapoints.unwrap_or(DATAPOINTS) {
            n @ 1..=DATAPOINTS => n as usize,
            n => {
                return Err(Error::InvalidValue(format!(
                    "The parameter MaxDatapoints must be 1 to {DATAPOINTS}; it is {n}."
                )));
            }
        };
        let queries = Queries::check(&input.metric_data_queries)?;
        let (_, shortest) = queries.periods();
        let from = aligned_start(input.start_time.secs(), cx.now.secs(), shortest);
        let period = if shortest == i64::MAX { 60 } else { shortest };
        let grid = Grid { from, until: input.end_time.secs(), period };
        let each = (grid.until - grid.from) / period;
        if each > DATAPOINTS || each * input.metric_data_queries.len() as i64 > ALL_DATAPOINTS {
            return Err(Error::Validation(format!(
                "The request is for {each} datapoints of each metric. Use a longer period, a shorter time range or fewer metrics."
            )));
        }
        let catalog = Catalog::read(&*service.plane).await?;
        let answer = queries.run(&*service.plane, &catalog, grid, (cx.now, 1)).await?;
        let Answer { values: mut named, is_cut } = answer;
        let mut results = Vec::new();
        for query in input.metric_data_queries.iter().filter(|q| q.return_data != Some(false)) {
            if let Some(value) = named.remove(&query.id) {
                results.extend(result(query, value, input.scan_by)?);
            }
        }
        let (metric_data_results, next_token) = page(results, input.next_token.as_deref(), most)?;
        let exceeded = is_cut.then(|| MessageData {
            code: "MaxMetricsExceeded".into(),
            value: format!(
                "A search found more than {SERIES} metrics: the others are missing. Narrow the search."
            ),
        });
        Ok(Output { metric_data_results, next_token, messages: exceeded.into_iter().collect() }.into())
    }
}

fn result(
    query: &MetricDataQuery,
    value: Value,
    scan_by: Option<ScanBy>,
) -> Result<Vec<MetricDataResult>, Error> {
    let (series, is_array) = match value {
        Value::Series(series) => (vec![series], false),
        Value::List(list) => (list, true),
        Value::Number(_) | Value::Text(_) => {
            return Err(Error::Validation(format!(
                "Error in expression '{}': the result must be a time series, and not a single number. Set ReturnData to false",
                query.id
            )));
        }
    };
    let metric = query.metric_stat.as_ref().and_then(|stat| stat.metric.metric_name.clone());
    let label = |series: &TimeSeries| {
        let of_query = query.label.clone();
        match series.label.as_ref().filter(|_| is_array) {
            // In an array, each time series has the label of its metric behind that of the query.
            Some(own) => match of_query.filter(|label| !label.is_empty()) {
                Some(label) => format!("{label} {own}"),
                None => own.clone(),
            },
            None => of_query.or_else(|| metric.clone()).unwrap_or_else(|| query.id.clone()),
        }
    };
    let one = |series: TimeSeries| {
        let label = label(&series);
        let mut values: Vec<(i64, f64)> = series.values.into_iter().collect();
        if scan_by != Some(ScanBy::Ascending) {
            values.reverse();
        }
        MetricDataResult {
            id: query.id.clone(),
            label,
            timestamps: values.iter().map(|(at, _)| Timestamp(at * 1000)).collect(),
            values: values.iter().map(|(_, value)| *value).collect(),
            status_code: StatusCode::Complete,
        }
    };
    Ok(series.into_iter().map(one).collect())
}

/// At most `most` datapoints after the token, which is the number of datapoints in the pages before.
fn page(
    results: Vec<MetricDataResult>,
    token: Option<&str>,
    most: usize,
) -> Result<(Vec<MetricDataResult>, Option<String>), Error> {
    let invalid = |token: &str| Error::Token(token.to_owned());
    let skip: usize = token.map(|t| t.parse().map_err(|_| invalid(t))).transpose()?.unwrap_or(0);
    let total: usize = results.iter().map(|r| r.values.len()).sum();
    if skip > total {
        return Err(invalid(token.unwrap_or_default()));
    }
    let (mut before, mut pages) = (0, Vec::new());
    for result in results {
        let (start, end) = (before, before + result.values.len());
        before = end;
        let (from, until) = (start.max(skip), end.min(skip.saturating_add(most)));
        let is_empty = start == end && skip == 0;
        if from < until || is_empty {
            let range = from.max(start) - start..until.max(start) - start;
            let status_code = if until < end { StatusCode::PartialData } else { StatusCode::Complete };
            pages.push(MetricDataResult {
                timestamps: result.timestamps[range.clone()].to_vec(),
                values: result.values[range].to_vec(),
                status_code,
                ..result
            });
        }
    }
    let next = skip.saturating_add(most);
    Ok((pages, (next < total).then(|| next.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(lengths: &[usize]) -> Vec<MetricDataResult> {
        let of = |(i, n): (usize, &usize)| MetricDataResult {
            id: format!("m{i}"),
            label: String::new(),
            timestamps: vec![Timestamp(0); *n],
            values: (0..*n).map(|v| v as f64).collect(),
            status_code: StatusCode::Complete,
        };
        lengths.iter().enumerate().map(of).collect()
    }

    #[test]
    fn pages_have_every_datapoint_once() {
        let (mut token, mut seen, mut pages) = (None::<String>, Vec::new(), 0);
        loop {
            let (page, next) = page(results(&[3, 0, 5, 2]), token.as_deref(), 4).unwrap();
            seen.extend(page.iter().flat_map(|r| r.values.iter().map(|v| (r.id.clone(), *v as usize))));
            (token, pages) = (next, pages + 1);
            if token.is_none() {
                break;
            }
        }
        assert_eq!((seen.len(), pages), (10, 3));
        seen.dedup();
        assert_eq!(seen.len(), 10);
        assert!(page(results(&[3]), Some("x"), 4).is_err());
    }
}

//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html>

use crate::{Error, Monitor, choices::RecentlyActive, metric::FOUND_MS};
use escale_base::{Wire, paging};
use escale_metrics::Series;
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::cloudwatch::{Dimension, Metric};
use std::sync::Arc;

pub(crate) struct ListMetrics;

#[derive(Wire)]
pub(crate) struct Input {
    namespace: Option<String>,
    metric_name: Option<String>,
    dimensions: Vec<DimensionFilter>,
    next_token: Option<String>,
    recently_active: Option<RecentlyActive>,
}

#[derive(Wire)]
struct DimensionFilter {
    name: String,
    value: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    metrics: Vec<Metric>,
    next_token: Option<String>,
}

const PAGE: usize = 500;
const HOUR_MS: i64 = 3_600_000;

impl StreamOperation<Monitor> for ListMetrics {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(
        service: Arc<Monitor>,
        cx: StreamCx,
        input: Input,
        _: Body,
    ) -> Result<StreamReply<Output>, Error> {
        // AWS lists metrics that had a value during the last two weeks.
        let age_ms = match input.recently_active {
            Some(RecentlyActive::ThreeHours) => 3 * HOUR_MS,
            None => FOUND_MS,
        };
        let listed = service.plane.list().await?;
        let active = listed.into_iter().filter(|l| cx.now.since_ms(l.written) <= age_ms).map(|l| l.series);
        let mut found: Vec<Series> = active.filter(|s| input.selects(s)).collect();
        // The same metric with another unit is one metric.
        found.dedup_by(|a, b| a.space == b.space && a.name == b.name && a.labels == b.labels);
        let mut keyed: Vec<(String, Series)> = found.into_iter().map(|s| (key(&s), s)).collect();
        keyed.sort_by(|a, b| a.0.cmp(&b.0));
        let token = input.next_token.as_deref();
        let page = paging::page(keyed, |(key, _)| key.clone(), token, PAGE);
        let page = page.map_err(|_| Error::Token(token.unwrap_or_default().to_owned()))?;
        let metrics = page.items.into_iter().map(|(_, series)| metric(series)).collect();
        Ok(Output { metrics, next_token: page.next }.into())
    }
}

impl Input {
    fn selects(&self, series: &Series) -> bool {
        let has = |filter: &DimensionFilter| {
            let value = series.labels.iter().find(|(name, _)| *name == filter.name).map(|(_, value)| value);
            value.is_some_and(|value| filter.value.as_ref().is_none_or(|wanted| wanted == value))
        };
        self.namespace.as_ref().is_none_or(|wanted| *wanted == series.space)
            && self.metric_name.as_ref().is_none_or(|wanted| *wanted == series.name)
            && self.dimensions.iter().all(has)
    }
}

/// No part has a control character: the gate refuses them.
fn key(series: &Series) -> String {
    let labels = series.labels.iter().map(|(name, value)| format!("{name}\u{1}{value}\u{1}"));
    format!("{}\u{1}{}\u{1}{}", series.space, series.name, labels.collect::<String>())
}

fn metric(series: Series) -> Metric {
    let dimension = |(name, value)| Dimension { name, value };
    Metric {
        namespace: Some(series.space),
        metric_name: Some(series.name),
        dimensions: series.labels.into_iter().map(dimension).collect(),
    }
}

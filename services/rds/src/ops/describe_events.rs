//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeEvents.html>

use crate::{
    Error,
    filters::{self, Filter},
};
use escale_base::{Timestamp, Wire};
use escale_service::{Cx, Operation};
use escale_store::Row;
use escale_tables::rds::{Event, SourceType};

pub(crate) struct DescribeEvents;

#[derive(Wire)]
pub(crate) struct Input {
    source_identifier: Option<String>,
    source_type: Option<SourceType>,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    /// Minutes back from now. The default is 60.
    duration: Option<i32>,
    event_categories: Vec<String>,
    filters: Vec<Filter>,
    max_records: Option<usize>,
    marker: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Shown {
    source_identifier: String,
    source_type: SourceType,
    message: String,
    event_categories: Vec<String>,
    date: Timestamp,
    source_arn: String,
}

#[derive(Wire)]
pub(crate) struct Output {
    marker: Option<String>,
    events: Vec<Shown>,
}

impl Operation for DescribeEvents {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        if input.source_identifier.is_some() && input.source_type.is_none() {
            let what = "The parameter SourceType must be provided when SourceIdentifier is.";
            return Err(Error::Combination(what.into()));
        }
        filters::passes(&input.filters, |_| None)?;
        let minutes = i64::from(input.duration.unwrap_or(60));
        let from = input.start_time.unwrap_or_else(|| cx.now.plus_ms(-minutes * 60_000));
        let to = input.end_time.unwrap_or(cx.now);
        let source = input.source_identifier.map(|s| s.to_ascii_lowercase());
        let found = cx.tx.scan::<Event>().filter(|e| {
            (from..=to).contains(&e.at)
                && source.as_ref().is_none_or(|s| *s == e.source)
                && input.source_type.is_none_or(|t| t == e.source_type)
                && (input.event_categories.is_empty()
                    || input.event_categories.iter().any(|c| e.categories.contains(c)))
        });
        let found: Vec<_> = found.collect();
        let page = filters::page(found, |e| e.key(), input.marker.as_deref(), input.max_records)?;
        let shown = page.items.iter().map(|e| Shown {
            source_identifier: e.source.clone(),
            source_type: e.source_type,
            message: e.message.clone(),
            event_categories: e.categories.clone(),
            date: e.at,
            source_arn: e.source_arn.clone(),
        });
        Ok(Output { marker: page.next, events: shown.collect() })
    }
}

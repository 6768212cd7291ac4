//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogStreams.html>

use crate::choices::OrderBy;
use crate::{Error, Logs, rules};
use escale_base::{Wire, paging};
use escale_logstore::Summary;
use escale_service::{Body, Config, StreamCx, StreamOperation, StreamReply};
use escale_tables::logs::{LogGroupName, LogStream, LogStreamName};
use std::sync::Arc;

pub(crate) struct DescribeLogStreams;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    log_group_name: Option<LogGroupName>,
    log_group_identifier: Option<String>,
    log_stream_name_prefix: Option<String>,
    order_by: Option<OrderBy>,
    descending: Option<bool>,
    next_token: Option<String>,
    limit: Option<i32>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    log_streams: Vec<Shape>,
    next_token: Option<String>,
}

#[derive(Clone, Wire)]
#[wire(camelCase)]
struct Shape {
    log_stream_name: LogStreamName,
    creation_time: i64,
    first_event_timestamp: Option<i64>,
    last_event_timestamp: Option<i64>,
    last_ingestion_time: Option<i64>,
    upload_sequence_token: String,
    arn: String,
    /// AWS returns 0 for all streams since 2019.
    stored_bytes: i64,
}

impl StreamOperation<Logs> for DescribeLogStreams {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &StreamCx) -> Vec<String> {
        let group = rules::group_name(input.log_group_name.clone(), input.log_group_identifier.clone());
        group.map(|g| rules::group_resource(&cx.config, &g)).into_iter().collect()
    }

    async fn run(
        service: Arc<Logs>,
        cx: StreamCx,
        input: Input,
        _: Body,
    ) -> Result<StreamReply<Output>, Error> {
        let group = rules::group_name(input.log_group_name, input.log_group_identifier)?;
        rules::group(&cx.store.read(), &group)?;
        let by_time = match input.order_by {
            None | Some(OrderBy::LogStreamName) => false,
            Some(OrderBy::LastEventTime) if input.log_stream_name_prefix.is_some() => {
                let why = "Cannot order by LastEventTime with a logStreamNamePrefix.";
                return Err(Error::Invalid(why.into()));
            }
            Some(OrderBy::LastEventTime) => true,
        };
        let limit = match input.limit.unwrap_or(50) {
            n @ 1..=50 => n as usize,
            n => return Err(Error::Invalid(format!("limit {n} is not between 1 and 50"))),
        };
        let prefix = format!("{group}:{}", input.log_stream_name_prefix.as_deref().unwrap_or(""));
        let rows: Vec<Arc<LogStream>> = cx.store.read().prefix::<LogStream>(&prefix).collect();
        let ids: Vec<String> = rows.iter().map(|r| r.id.to_string()).collect();
        let summaries = service.plane.summaries(&ids).await?;
        let mut all: Vec<(String, Shape)> = rows
            .iter()
            .map(|row| {
                let shape = shape(&cx.config, row, summaries.get(row.id.as_str()));
                let last = shape.last_event_timestamp.unwrap_or(0);
                let key = if by_time { format!("{last:020}:{}", row.name) } else { row.name.to_string() };
                (key, shape)
            })
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        if input.descending.unwrap_or(false) {
            all.reverse();
            // Paging needs keys in ascending order, so the position in the reversed list is the key.
            for (i, (key, _)) in all.iter_mut().enumerate() {
                *key = format!("{i:010}");
            }
        }
        let page = paging::page(all, |(key, _)| key.clone(), input.next_token.as_deref(), limit)?;
        let log_streams = page.items.into_iter().map(|(_, shape)| shape).collect();
        Ok(Output { log_streams, next_token: page.next }.into())
    }
}

fn shape(config: &Config, row: &LogStream, summary: Option<&Summary>) -> Shape {
    Shape {
        log_stream_name: row.name.clone(),
        creation_time: row.created.0,
        first_event_timestamp: summary.and_then(|s| s.first).map(|t| t.0),
        last_event_timestamp: summary.and_then(|s| s.last).map(|t| t.0),
        last_ingestion_time: summary.map(|s| s.last_arrival.0),
        upload_sequence_token: format!("{:056}", summary.map_or(0, |s| s.count)),
        arn: rules::stream_resource(config, &row.group, &row.name),
        stored_bytes: 0,
    }
}

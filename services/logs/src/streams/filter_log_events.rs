//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html>

use super::{moment, page_size, position_of, token_of};
use crate::{Error, Logs, pattern, rules};
use escale_base::{Timestamp, Wire};
use escale_logstore::Query;
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::logs::{LogGroupName, LogStream, LogStreamId, LogStreamName};
use std::{collections::BTreeMap, sync::Arc};

pub(crate) struct FilterLogEvents;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    log_group_name: Option<LogGroupName>,
    log_group_identifier: Option<String>,
    log_stream_names: Vec<LogStreamName>,
    log_stream_name_prefix: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    filter_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<i32>,
    interleaved: Option<bool>,
    unmask: Option<bool>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    events: Vec<Event>,
    /// AWS returns an empty list since 2021.
    searched_log_streams: Vec<escale_base::wire::Value>,
    next_token: Option<String>,
}

#[derive(Wire)]
#[wire(camelCase)]
struct Event {
    log_stream_name: LogStreamName,
    timestamp: i64,
    message: String,
    ingestion_time: i64,
    event_id: String,
}

impl StreamOperation<Logs> for FilterLogEvents {
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
        let names = searched(&cx, &input)?;
        let query = Query {
            from: moment(input.start_time),
            // The end time is inclusive here, but exclusive in GetLogEvents and in the plane.
            until: input.end_time.map(|t| Timestamp(t.saturating_add(1))),
            after: input.next_token.as_deref().map(position_of).transpose()?,
            backward: false,
            pattern: pattern::parse(input.filter_pattern.as_deref().unwrap_or(""))?,
            limit: page_size(input.limit)?,
        };
        let ids: Vec<String> = names.keys().map(LogStreamId::to_string).collect();
        let page = service.plane.read(&ids, &query).await?;
        let next_token = page.last.as_ref().filter(|_| page.more).map(token_of);
        let events = page.messages.into_iter().map(|m| Event {
            log_stream_name: names.get(m.position.stream.as_str()).cloned().unwrap_or_default(),
            timestamp: m.position.at.0,
            message: m.text,
            ingestion_time: m.arrived.0,
            event_id: event_id(&m.position),
        });
        Ok(Output { events: events.collect(), searched_log_streams: Vec::new(), next_token }.into())
    }
}

/// The names of the streams in the request, by id.
fn searched(cx: &StreamCx, input: &Input) -> Result<BTreeMap<LogStreamId, LogStreamName>, Error> {
    let group = rules::group_name(input.log_group_name.clone(), input.log_group_identifier.clone())?;
    let image = cx.store.read();
    rules::group(&image, &group)?;
    if !input.log_stream_names.is_empty() {
        if input.log_stream_name_prefix.is_some() {
            return Err(Error::Invalid("Set logStreamNames or logStreamNamePrefix, not both.".into()));
        }
        let found = input.log_stream_names.iter().map(|name| rules::stream(&image, &group, name));
        return found.map(|s| s.map(|s| (s.id.clone(), s.name.clone()))).collect();
    }
    let prefix = format!("{group}:{}", input.log_stream_name_prefix.as_deref().unwrap_or(""));
    Ok(image.prefix::<LogStream>(&prefix).map(|s| (s.id.clone(), s.name.clone())).collect())
}

/// A number of 56 digits, as on AWS. Clients such as `aws logs tail` use it to skip events that they printed before.
fn event_id(position: &escale_logstore::Position) -> String {
    // FNV-1a of the stream's id. Time and number make the event's id unique in the stream.
    let fold = |h: u64, b: u8| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
    let stream = position.stream.bytes().fold(0xcbf2_9ce4_8422_2325, fold);
    format!("{:016}{stream:020}{:020}", position.at.0, position.number)
}

//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html>

use super::{moment, page_size, position_of, token_of};
use crate::{Error, Logs, rules};
use escale_base::Wire;
use escale_logstore::Query;
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::logs::{LogGroupName, LogStreamName};
use std::sync::Arc;

pub(crate) struct GetLogEvents;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    log_group_name: Option<LogGroupName>,
    log_group_identifier: Option<String>,
    log_stream_name: LogStreamName,
    start_time: Option<i64>,
    end_time: Option<i64>,
    next_token: Option<String>,
    limit: Option<i32>,
    start_from_head: Option<bool>,
    unmask: Option<bool>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    events: Vec<Event>,
    next_forward_token: String,
    next_backward_token: String,
}

#[derive(Wire)]
#[wire(camelCase)]
struct Event {
    timestamp: i64,
    message: String,
    ingestion_time: i64,
}

impl StreamOperation<Logs> for GetLogEvents {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &StreamCx) -> Vec<String> {
        let group = rules::group_name(input.log_group_name.clone(), input.log_group_identifier.clone());
        group.map(|g| rules::stream_resource(&cx.config, &g, &input.log_stream_name)).into_iter().collect()
    }

    async fn run(
        service: Arc<Logs>,
        cx: StreamCx,
        input: Input,
        _: Body,
    ) -> Result<StreamReply<Output>, Error> {
        let group = rules::group_name(input.log_group_name, input.log_group_identifier)?;
        let stream = rules::stream(&cx.store.read(), &group, &input.log_stream_name)?;
        let token = input.next_token.as_deref();
        let (backward, after) = match token.map(|t| (t.split_at_checked(2), t)) {
            // Without startFromHead, AWS returns the newest events.
            None => (!input.start_from_head.unwrap_or(false), None),
            Some((Some(("f/", position)), _)) => (false, after(position)?),
            Some((Some(("b/", position)), _)) => (true, after(position)?),
            Some((_, t)) => return Err(Error::Invalid(format!("The specified nextToken is invalid: {t}"))),
        };
        let query = Query {
            from: moment(input.start_time),
            until: moment(input.end_time),
            after,
            backward,
            limit: page_size(input.limit)?,
            ..Query::default()
        };
        let mut page = service.plane.read(&[stream.id.to_string()], &query).await?;
        if backward {
            page.messages.reverse();
        }
        // At the end of the stream AWS returns the request's own token. Clients stop when a token repeats.
        let at = |m: Option<&escale_logstore::Kept>| {
            let known = m.map(|m| token_of(&m.position));
            known.or_else(|| token.and_then(|t| t.get(2..)).map(str::to_owned)).unwrap_or_default()
        };
        let output = Output {
            next_forward_token: format!("f/{}", at(page.messages.last())),
            next_backward_token: format!("b/{}", at(page.messages.first())),
            events: page
                .messages
                .into_iter()
                .map(|m| Event { timestamp: m.position.at.0, message: m.text, ingestion_time: m.arrived.0 })
                .collect(),
        };
        Ok(output.into())
    }
}

/// The position in a token. The token of an empty stream has none.
fn after(position: &str) -> Result<Option<escale_logstore::Position>, Error> {
    if position.is_empty() { Ok(None) } else { position_of(position).map(Some) }
}

//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>

use crate::{Error, Logs, bound, rules};
use escale_base::{Timestamp, Wire};
use escale_logstore::{MESSAGE_BYTES, Message};
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::logs::{LogGroup, LogGroupName, LogStreamName};
use std::sync::Arc;

pub(crate) struct PutLogEvents;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    log_group_name: LogGroupName,
    log_stream_name: LogStreamName,
    log_events: Vec<Event>,
    sequence_token: Option<String>,
}

#[derive(Wire)]
#[wire(camelCase)]
struct Event {
    timestamp: i64,
    message: String,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    next_sequence_token: String,
    rejected_log_events_info: Option<Rejected>,
}

#[derive(Default, Debug, PartialEq, Wire)]
#[wire(camelCase)]
struct Rejected {
    too_new_log_event_start_index: Option<i32>,
    too_old_log_event_end_index: Option<i32>,
    expired_log_event_end_index: Option<i32>,
}

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// AWS's quotas for one batch: events, and bytes, where each event counts 26 more than its text.
const BATCH_EVENTS: usize = 10_000;
const BATCH_BYTES: usize = 1_048_576;
const EVENT_OVERHEAD: usize = 26;

impl StreamOperation<Logs> for PutLogEvents {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &StreamCx) -> Vec<String> {
        vec![rules::stream_resource(&cx.config, &input.log_group_name, &input.log_stream_name)]
    }

    async fn run(
        service: Arc<Logs>,
        cx: StreamCx,
        input: Input,
        _: Body,
    ) -> Result<StreamReply<Output>, Error> {
        let (group, stream) = {
            let image = cx.store.read();
            let group = rules::group(&image, &input.log_group_name)?;
            (group, rules::stream(&image, &input.log_group_name, &input.log_stream_name)?)
        };
        check(&input.log_events)?;
        let (accepted, rejected) = sift(input.log_events, &group, cx.now);
        let bytes: u64 = accepted.iter().map(|m| m.text.len() as u64 + MESSAGE_BYTES).sum();
        let count = service.plane.append(&stream.id, accepted, cx.now).await?;
        if service.bound.is_due(&group.name, bytes) {
            let ids = rules::stream_ids(&cx.store.read(), &group.name);
            // The new events are stored, so a failure to drop older ones is no error of this request. A later one tries again.
            match service.plane.trim(&ids, bound::GROUP_BYTES, bound::NOTE).await {
                Ok(0) => {}
                Ok(dropped) => tracing::warn!(group = group.name.as_str(), dropped, "{}", bound::NOTE),
                Err(error) => {
                    tracing::error!(group = group.name.as_str(), %error, "cannot drop the oldest events of a log group")
                }
            }
        }
        let output =
            Output { next_sequence_token: format!("{count:056}"), rejected_log_events_info: rejected };
        Ok(output.into())
    }
}

fn check(events: &[Event]) -> Result<(), Error> {
    let bad = |why: &str| Err(Error::Invalid(why.to_owned()));
    if events.is_empty() || events.len() > BATCH_EVENTS {
        return bad("1 validation error detected: logEvents must have between 1 and 10000 events.");
    }
    if events.iter().map(|e| e.message.len() + EVENT_OVERHEAD).sum::<usize>() > BATCH_BYTES {
        return bad(
            "Upload too large: a batch can have at most 1048576 bytes, where each event counts 26 more than its text.",
        );
    }
    if events.iter().any(|e| e.message.is_empty() || e.timestamp < 0) {
        return bad(
            "Log events must have a message of at least one character, and a timestamp of 0 or later.",
        );
    }
    if events.windows(2).any(|w| w[0].timestamp > w[1].timestamp) {
        return bad("Log events in a single PutLogEvents request must be in chronological order.");
    }
    match (events.first(), events.last()) {
        (Some(first), Some(last)) if last.timestamp - first.timestamp > DAY_MS => {
            bad("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
        }
        _ => Ok(()),
    }
}

/// Separates the accepted events from those that are too old (14 days, or the group's retention) or too new (2 hours).
fn sift(events: Vec<Event>, group: &LogGroup, now: Timestamp) -> (Vec<Message>, Option<Rejected>) {
    let expired = group.retention_days.map_or(i64::MIN, |days| now.0 - i64::from(days) * DAY_MS);
    let (old, new) = (now.0 - 14 * DAY_MS, now.0 + 2 * HOUR_MS);
    let mut rejected = Rejected::default();
    let mut accepted = Vec::new();
    for (i, event) in events.into_iter().enumerate() {
        let i = i as i32;
        if event.timestamp < expired {
            rejected.expired_log_event_end_index = Some(i + 1);
        } else if event.timestamp < old {
            rejected.too_old_log_event_end_index = Some(i + 1);
        } else if event.timestamp > new {
            rejected.too_new_log_event_start_index.get_or_insert(i);
        } else {
            accepted.push(Message { at: Timestamp(event.timestamp), text: event.message });
        }
    }
    (accepted, (rejected != Rejected::default()).then_some(rejected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_events_that_are_too_old_or_too_new() {
        let group = LogGroup {
            name: "g".into(),
            retention_days: Some(30),
            class: escale_tables::logs::LogGroupClass::Standard,
            tags: vec![],
            created: Timestamp(0),
        };
        let now = Timestamp(100 * DAY_MS);
        let at = |days: i64| Event { timestamp: days * DAY_MS, message: "x".into() };
        let (accepted, rejected) = sift(vec![at(60), at(80), at(99), at(101)], &group, now);
        assert_eq!(accepted.len(), 1);
        let rejected = rejected.unwrap();
        assert_eq!(rejected.expired_log_event_end_index, Some(1));
        assert_eq!(rejected.too_old_log_event_end_index, Some(2));
        assert_eq!(rejected.too_new_log_event_start_index, Some(3));
    }
}

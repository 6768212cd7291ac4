//! <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html>

use crate::{
    Error, Trail,
    event::{self, DENIAL},
};
use escale_base::{AwsError, Timestamp, Wire};
use escale_journal::{Entry, Filter, Kept, Query};
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use serde_json::Value;
use std::sync::Arc;

pub(crate) struct LookupEvents;

escale_base::choice! {
    /// The attributes that a lookup can filter by.
    pub(crate) enum Key {
        EventId = "EventId",
        EventName = "EventName",
        ReadOnly = "ReadOnly",
        Username = "Username",
        ResourceType = "ResourceType",
        ResourceName = "ResourceName",
        EventSource = "EventSource",
        AccessKeyId = "AccessKeyId",
    }
}

#[derive(Wire)]
pub(crate) struct Input {
    lookup_attributes: Vec<Attribute>,
    start_time: Option<Timestamp>,
    end_time: Option<Timestamp>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Wire)]
struct Attribute {
    attribute_key: Key,
    attribute_value: String,
}

#[derive(Wire)]
pub(crate) struct Output {
    events: Vec<Event>,
    next_token: Option<String>,
}

#[derive(Wire)]
struct Event {
    event_id: String,
    event_name: String,
    read_only: String,
    access_key_id: Option<String>,
    event_time: Timestamp,
    event_source: String,
    username: Option<String>,
    resources: Vec<Resource>,
    cloud_trail_event: String,
}

#[derive(Wire)]
struct Resource {
    resource_type: Option<String>,
    resource_name: String,
}

/// AWS's default and limit.
const PAGE: usize = 50;

/// Entries are in the order in which calls ended, so their times may be out of order by up to this.
const DISORDER_MS: i64 = 60_000;

impl StreamOperation<Trail> for LookupEvents {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    async fn run(
        service: Arc<Trail>,
        _cx: StreamCx,
        input: Input,
        _: Body,
    ) -> Result<StreamReply<Output>, Error> {
        let attribute = match input.lookup_attributes.as_slice() {
            [] => None,
            [one] => Some(one),
            _ => return Err(Error::LookupAttributes),
        };
        if let (Some(start), Some(end)) = (input.start_time, input.end_time)
            && start > end
        {
            return Err(Error::TimeRange { start: start.iso8601(), end: end.iso8601() });
        }
        let after = input.next_token.as_deref().map(Token::read).transpose()?.unwrap_or_default();
        let limit = input.max_results.unwrap_or(PAGE);
        let query = |before| Query {
            before,
            oldest: input.start_time.map(|start| start.plus_ms(-DISORDER_MS)),
            filter: filter(attribute, input.start_time, input.end_time),
            // One more entry shows whether there is a next page.
            limit: limit + 1,
        };
        let denials = service.denials.read(query(after.denials)).await?;
        let only_denials = attribute
            .is_some_and(|a| matches!(a.attribute_key, Key::ResourceType) && a.attribute_value == DENIAL);
        // The journal of other calls has no such event; reading all of it would be in vain.
        let calls = if only_denials { Vec::new() } else { service.calls.read(query(after.calls)).await? };
        let (page, next_token) = merge(calls, denials, limit, after);
        let events = page.iter().map(|kept| shape(&kept.entry)).collect::<Option<_>>();
        Ok(Output { events: events.ok_or_else(AwsError::internal)?, next_token }.into())
    }
}

/// Merges both journals, newest first, into a page and the token of the next page.
fn merge(calls: Vec<Kept>, denials: Vec<Kept>, limit: usize, after: Token) -> (Vec<Kept>, Option<String>) {
    let (mut calls, mut denials) = (calls.into_iter().peekable(), denials.into_iter().peekable());
    let (mut page, mut next) = (Vec::new(), after);
    while page.len() < limit {
        let is_denial = match (calls.peek(), denials.peek()) {
            (Some(call), Some(denial)) => denial.entry.at > call.entry.at,
            (call, _) => call.is_none(),
        };
        let (side, last) =
            if is_denial { (&mut denials, &mut next.denials) } else { (&mut calls, &mut next.calls) };
        let Some(kept) = side.next() else { break };
        *last = Some(kept.number);
        page.push(kept);
    }
    let more = calls.peek().is_some() || denials.peek().is_some();
    (page, more.then(|| next.write()))
}

/// The position in both journals: the number of the last returned entry of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Token {
    calls: Option<u64>,
    denials: Option<u64>,
}

impl Token {
    fn write(self) -> String {
        let number = |n: Option<u64>| n.map_or("-".to_owned(), |n| n.to_string());
        format!("{}/{}", number(self.calls), number(self.denials))
    }

    fn read(text: &str) -> Result<Token, Error> {
        let number = |text: &str| match text {
            "-" => Ok(None),
            digits => digits.parse().map(Some).map_err(|_| Error::NextToken),
        };
        let (calls, denials) = text.split_once('/').ok_or(Error::NextToken)?;
        Ok(Token { calls: number(calls)?, denials: number(denials)? })
    }
}

fn filter(attribute: Option<&Attribute>, start: Option<Timestamp>, end: Option<Timestamp>) -> Filter {
    let attribute = attribute.map(|a| (a.attribute_key, a.attribute_value.clone()));
    Arc::new(move |entry: &Entry| {
        // Recorded times have milliseconds; the request has whole seconds.
        let second = entry.at.secs();
        let in_time = start.is_none_or(|s| second >= s.secs()) && end.is_none_or(|e| second <= e.secs());
        in_time && attribute.as_ref().is_none_or(|(key, value)| has(entry, key, value))
    })
}

fn has(entry: &Entry, key: &Key, value: &str) -> bool {
    // A text search first: parsing the JSON of every entry would take a hundred times as long.
    let quoted = Value::from(value).to_string();
    if !entry.text.contains(quoted.trim_matches('"')) {
        return false;
    }
    let Ok(event) = serde_json::from_str::<Value>(&entry.text) else { return false };
    let is = |member: &Value| member.as_str() == Some(value);
    match key {
        Key::EventId => is(&event["eventID"]),
        Key::EventName => is(&event["eventName"]),
        Key::ReadOnly => event["readOnly"].as_bool().is_some_and(|b| b.to_string() == value),
        Key::Username => event::user_name(&event) == Some(value),
        Key::ResourceType => event::names(&event).iter().any(|(kind, _)| kind.as_deref() == Some(value)),
        Key::ResourceName => event::names(&event).iter().any(|(_, name)| name == value),
        Key::EventSource => is(&event["eventSource"]),
        Key::AccessKeyId => is(&event["userIdentity"]["accessKeyId"]),
    }
}

fn shape(entry: &Entry) -> Option<Event> {
    let event: Value = serde_json::from_str(&entry.text).ok()?;
    let text = |member: &str| event[member].as_str().map(str::to_owned);
    let resources = event::names(&event);
    Some(Event {
        event_id: text("eventID")?,
        event_name: text("eventName")?,
        read_only: event["readOnly"].as_bool()?.to_string(),
        access_key_id: event["userIdentity"]["accessKeyId"].as_str().map(str::to_owned),
        event_time: entry.at,
        event_source: text("eventSource")?,
        username: event::user_name(&event).map(str::to_owned),
        resources: resources
            .into_iter()
            .map(|(resource_type, resource_name)| Resource { resource_type, resource_name })
            .collect(),
        cloud_trail_event: entry.text.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(number: u64, at: i64) -> Kept {
        Kept { number, entry: Entry { at: Timestamp(at), text: String::new() } }
    }

    #[test]
    fn pages_merge_both_journals_without_gaps() {
        let calls: Vec<i64> = vec![1, 4, 5, 9, 10, 11];
        let denials: Vec<i64> = vec![2, 3, 6, 7, 12];
        let side = |all: &[i64], before: Option<u64>, limit: usize| {
            let numbered = all.iter().enumerate().rev().map(|(n, at)| (at, n as u64));
            let numbered = numbered.filter(|(_, n)| before.is_none_or(|b| *n < b));
            numbered.take(limit).map(|(at, n)| kept(n, *at)).collect::<Vec<_>>()
        };
        for limit in 1..=12 {
            let (mut token, mut found) = (Token::default(), Vec::new());
            loop {
                let (c, d) = (side(&calls, token.calls, limit + 1), side(&denials, token.denials, limit + 1));
                let (page, next) = merge(c, d, limit, token);
                assert!(page.len() <= limit);
                found.extend(page.iter().map(|k| k.entry.at.0));
                let Some(next) = next else { break };
                token = Token::read(&next).unwrap();
            }
            assert_eq!(found, [12, 11, 10, 9, 7, 6, 5, 4, 3, 2, 1], "pages of {limit}");
        }
    }

    #[test]
    fn tokens_are_read_back_or_refused() {
        for token in [Token::default(), Token { calls: Some(7), denials: None }] {
            assert_eq!(Token::read(&token.write()).unwrap(), token);
        }
        for bad in ["", "1", "a/b", "1/", "-1/2"] {
            assert!(Token::read(bad).is_err(), "{bad}");
        }
    }
}

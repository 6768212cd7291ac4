//! The log plane in memory, for tests of its users.

use crate::{Kept, LogStore, MESSAGE_BYTES, Message, Page, Position, Query, SCANNED_PER_READ, Summary};
use async_trait::async_trait;
use escale_base::{PlaneError, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

#[derive(Default)]
struct Stream {
    messages: Vec<Kept>,
    count: u64,
    last_arrival: Timestamp,
}

/// Keeps everything in memory.
#[derive(Default)]
pub struct Fake(Mutex<BTreeMap<String, Stream>>);

impl Fake {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Stream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl LogStore for Fake {
    async fn append(&self, stream: &str, messages: Vec<Message>, at: Timestamp) -> Result<u64, PlaneError> {
        let mut all = self.lock();
        let here = all.entry(stream.to_owned()).or_default();
        for Message { at: time, text } in messages {
            here.count += 1;
            let position = Position { at: time, stream: stream.to_owned(), number: here.count };
            here.messages.push(Kept { position, arrived: at, text });
        }
        here.last_arrival = at;
        Ok(here.count)
    }

    async fn read(&self, streams: &[String], query: &Query) -> Result<Page, PlaneError> {
        let all = self.lock();
        let of = streams.iter().collect::<BTreeSet<_>>();
        let mut found: Vec<&Kept> =
            of.into_iter().filter_map(|s| all.get(s)).flat_map(|s| &s.messages).collect();
        found.sort_by(|a, b| a.position.cmp(&b.position));
        if query.backward {
            found.reverse();
        }
        found.retain(|m| {
            let behind = query
                .after
                .as_ref()
                .is_none_or(|after| if query.backward { m.position < *after } else { m.position > *after });
            behind
                && query.from.is_none_or(|t| m.position.at >= t)
                && query.until.is_none_or(|t| m.position.at < t)
        });
        let mut page = Page::default();
        for (scanned, message) in found.into_iter().enumerate() {
            if page.messages.len() == query.limit || scanned == SCANNED_PER_READ {
                page.more = true;
                break;
            }
            page.last = Some(message.position.clone());
            if query.pattern.matches(&message.text) {
                page.messages.push(message.clone());
            }
        }
        Ok(page)
    }

    async fn summaries(&self, streams: &[String]) -> Result<BTreeMap<String, Summary>, PlaneError> {
        let all = self.lock();
        let summary = |s: &Stream| Summary {
            first: s.messages.iter().map(|m| m.position.at).min(),
            last: s.messages.iter().map(|m| m.position.at).max(),
            last_arrival: s.last_arrival,
            count: s.count,
            bytes: s.messages.iter().map(|m| m.text.len() as u64).sum(),
            kept: s.messages.len() as u64,
        };
        Ok(streams.iter().filter_map(|n| Some((n.clone(), summary(all.get(n)?)))).collect())
    }

    async fn streams(&self) -> Result<BTreeSet<String>, PlaneError> {
        Ok(self.lock().keys().cloned().collect())
    }

    async fn expire(&self, stream: &str, before: Timestamp) -> Result<u64, PlaneError> {
        let mut all = self.lock();
        let Some(here) = all.get_mut(stream) else { return Ok(0) };
        let was = here.messages.len();
        here.messages.retain(|m| m.position.at >= before);
        Ok((was - here.messages.len()) as u64)
    }

    async fn trim(&self, streams: &[String], most_bytes: u64, note: &str) -> Result<u64, PlaneError> {
        let mut all = self.lock();
        let of = streams.iter().collect::<BTreeSet<_>>();
        let mut messages: Vec<Kept> =
            of.iter().filter_map(|s| all.get(*s)).flat_map(|s| s.messages.clone()).collect();
        messages.sort_by(|a, b| a.position.cmp(&b.position));
        let size = |m: &Kept| m.text.len() as u64 + MESSAGE_BYTES;
        let mut held: u64 = messages.iter().map(size).sum();
        if held <= most_bytes {
            return Ok(0);
        }
        let dropped: Vec<Kept> = messages
            .into_iter()
            .take_while(|m| {
                let over = held > most_bytes - most_bytes / 16;
                held -= size(m);
                over
            })
            .collect();
        for last in &dropped {
            let Some(here) = all.get_mut(&last.position.stream) else { continue };
            // Of several notes in a stream only the last one stays.
            here.messages.retain(|m| m.position > last.position);
            here.messages.insert(0, Kept { text: note.to_owned(), ..last.clone() });
        }
        Ok(dropped.len() as u64)
    }

    async fn forget(&self, stream: &str) -> Result<(), PlaneError> {
        self.lock().remove(stream);
        Ok(())
    }
}

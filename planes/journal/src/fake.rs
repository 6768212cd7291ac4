//! A journal in memory, for tests.

use crate::{Entry, Journal, Kept, Query};
use async_trait::async_trait;
use escale_base::PlaneError;
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

/// Entries that it keeps.
const KEPT: usize = 10_000;

#[derive(Default)]
pub struct Fake(Mutex<(VecDeque<Entry>, u64)>);

#[async_trait]
impl Journal for Fake {
    fn append(&self, entry: Entry) {
        let (entries, first) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push_back(entry);
        if entries.len() > KEPT {
            entries.pop_front();
            *first += 1;
        }
    }

    async fn read(&self, query: Query) -> Result<Vec<Kept>, PlaneError> {
        let (entries, first) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let numbered = entries.iter().enumerate().rev().map(|(index, entry)| (entry, first + index as u64));
        let before = numbered.filter(|(_, number)| query.before.is_none_or(|b| *number < b));
        let young = before.take_while(|(entry, _)| query.oldest.is_none_or(|oldest| entry.at >= oldest));
        let found = young.filter(|(entry, _)| (query.filter)(entry)).take(query.limit);
        Ok(found.map(|(entry, number)| Kept { number, entry: entry.clone() }).collect())
    }
}

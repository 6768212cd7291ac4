//! What was read from an image, to know later whether a change concerns the reader.

use crate::watch::Change;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The rows that were read from a [recorded image](crate::Image::recorded). A row that did not exist counts, too.
#[derive(Clone, Default)]
pub struct Reads(Arc<Mutex<Noted>>);

#[derive(Default)]
struct Noted {
    tables: BTreeMap<&'static str, Table>,
    everything: bool,
}

#[derive(Default)]
struct Table {
    whole: bool,
    keys: BTreeSet<String>,
    prefixes: BTreeSet<String>,
}

impl Reads {
    /// Whether the change may alter what was read.
    pub fn concern(&self, change: &Change) -> bool {
        let noted = self.noted();
        let in_table = |table: &Table| {
            let begins = |prefix: &String| change.key.starts_with(prefix.as_str());
            table.whole || table.keys.contains(&change.key) || table.prefixes.iter().any(begins)
        };
        noted.everything || noted.tables.get(change.table).is_some_and(in_table)
    }

    pub(crate) fn key(&self, table: &'static str, key: &str) {
        self.note(table, |table| {
            if !table.whole && !table.keys.contains(key) {
                table.keys.insert(key.to_owned());
            }
        });
    }

    pub(crate) fn prefix(&self, table: &'static str, prefix: &str) {
        self.note(table, |table| {
            table.prefixes.insert(prefix.to_owned());
        });
    }

    pub(crate) fn whole(&self, table: &'static str) {
        // The single rows count no longer, and a scan of a large table must not keep them.
        self.note(table, |table| *table = Table { whole: true, ..Table::default() });
    }

    /// For a read that names no known table.
    pub(crate) fn everything(&self) {
        self.noted().everything = true;
    }

    fn note(&self, table: &'static str, change: impl FnOnce(&mut Table)) {
        change(self.noted().tables.entry(table).or_default());
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

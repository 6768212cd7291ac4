//! An immutable snapshot of all tables.

use crate::{
    reads::Reads,
    row::{Cell, Row},
};
use imbl::{HashMap, OrdMap};
use std::sync::Arc;

/// All rows as of one commit. Clones share their rows.
#[derive(Clone, Default)]
pub struct Image {
    /// Counts commits; two images with the same number are equal.
    pub(crate) version: u64,
    pub(crate) tables: HashMap<&'static str, OrdMap<String, Cell>>,
    /// Records what is read, if someone wants to know.
    reads: Option<Reads>,
}

impl Image {
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The same image, and what is read from it from now on.
    pub fn recorded(&self) -> (Image, Reads) {
        let reads = Reads::default();
        (Image { reads: Some(reads.clone()), ..self.clone() }, reads)
    }

    pub fn get<R: Row>(&self, key: &str) -> Option<Arc<R>> {
        self.record(|reads| reads.key(R::TABLE, key));
        self.tables.get(R::TABLE)?.get(key).map(typed)
    }

    pub fn has<R: Row>(&self, key: &str) -> bool {
        self.record(|reads| reads.key(R::TABLE, key));
        self.tables.get(R::TABLE).is_some_and(|t| t.contains_key(key))
    }

    /// All rows of a table in key order.
    pub fn scan<R: Row>(&self) -> impl Iterator<Item = Arc<R>> + '_ {
        self.record(|reads| reads.whole(R::TABLE));
        self.tables.get(R::TABLE).into_iter().flat_map(|t| t.values()).map(typed)
    }

    /// The rows whose key begins with `prefix`, without reading the others.
    pub fn prefix<'a, R: Row>(&'a self, prefix: &'a str) -> impl Iterator<Item = Arc<R>> + 'a {
        self.record(|reads| reads.prefix(R::TABLE, prefix));
        self.tables
            .get(R::TABLE)
            .into_iter()
            .flat_map(move |t| t.range(prefix.to_owned()..))
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(_, cell)| typed(cell))
    }

    /// The keys of a table, by its name: for code that follows changes without knowing the row type.
    pub fn keys<'a>(&'a self, table: &str) -> impl Iterator<Item = &'a String> + use<'a> {
        let found = self.tables.get_key_value(table);
        self.record(|reads| match found {
            Some((name, _)) => reads.whole(name),
            None => reads.everything(),
        });
        found.into_iter().flat_map(|(_, table)| table.keys())
    }

    fn record(&self, note: impl FnOnce(&Reads)) {
        if let Some(reads) = &self.reads {
            note(reads);
        }
    }
}

fn typed<R: Row>(cell: &Cell) -> Arc<R> {
    Arc::clone(cell)
        .downcast::<R>()
        .expect("each table name belongs to one row type: see the test of escale-tables")
}

//! A transaction: an image that accepts writes.

use crate::{image::Image, row::Row, watch::Change};
use std::{collections::BTreeMap, ops::Deref, sync::Arc};

/// Reads return the transaction's own writes. Other readers see these after the commit.
pub struct Tx {
    image: Image,
    written: BTreeMap<(&'static str, String), Option<Body>>,
}

struct Body {
    version: u32,
    json: String,
}

/// The new content of one row, for the disk.
pub(crate) struct Written {
    pub(crate) change: Change,
    /// Version and JSON text; `None` when the row was deleted.
    pub(crate) body: Option<(u32, String)>,
}

impl Deref for Tx {
    type Target = Image;
    fn deref(&self) -> &Image {
        &self.image
    }
}

impl Tx {
    pub(crate) fn new(image: Image) -> Tx {
        Tx { image, written: BTreeMap::new() }
    }

    /// Inserts or replaces a row.
    pub fn put<R: Row>(&mut self, row: R) {
        // Encoded now, not at the commit: the image keeps only the typed row, behind a pointer without its type.
        let json = serde_json::to_string(&row).expect("stored structs have string keys only");
        let key = row.key();
        self.image.tables.entry(R::TABLE).or_default().insert(key.clone(), Arc::new(row));
        self.written.insert((R::TABLE, key), Some(Body { version: R::VERSION, json }));
    }

    /// Changes a row in place; `None` if there is none.
    pub fn update<R: Row, T>(&mut self, key: &str, change: impl FnOnce(&mut R) -> T) -> Option<T> {
        let mut row = (*self.image.get::<R>(key)?).clone();
        let value = change(&mut row);
        debug_assert_eq!(row.key(), key, "an update must not change the key");
        self.put(row);
        Some(value)
    }

    /// Returns whether the row existed.
    pub fn delete<R: Row>(&mut self, key: &str) -> bool {
        let was = self.image.tables.get_mut(R::TABLE).is_some_and(|t| t.remove(key).is_some());
        // A row that did not exist is no change: it would wake reconcilers for nothing.
        if was {
            self.written.insert((R::TABLE, key.to_owned()), None);
        }
        was
    }

    /// Runs `work`. If it fails, only its own writes are undone, and the transaction continues.
    pub fn nested<T, E>(&mut self, work: impl FnOnce(&mut Tx) -> Result<T, E>) -> Result<T, E> {
        // The clone is cheap: both images share all rows that `work` does not write.
        let mut inner = Tx::new(self.image.clone());
        let value = work(&mut inner)?;
        self.image = inner.image;
        self.written.extend(inner.written);
        Ok(value)
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.written.is_empty()
    }

    pub(crate) fn finish(self) -> (Image, Vec<Written>) {
        let Tx { mut image, written } = self;
        image.version += 1;
        let written = written.into_iter().map(|((table, key), body)| Written {
            change: Change { table, key },
            body: body.map(|b| (b.version, b.json)),
        });
        (image, written.collect())
    }
}

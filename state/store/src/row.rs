//! The interface of a stored struct.

use serde::{Serialize, de::DeserializeOwned};
use std::{any::Any, sync::Arc};

/// A stored struct. Its fields never change after a release: a changed struct gets a new `VERSION` and a [`Row::migrate`]
/// from the older ones (see `escale-tables`).
pub trait Row: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    const TABLE: &'static str;
    const VERSION: u32 = 1;

    /// The key, which orders the table. The parts of a composite key are joined by `/`, so that a prefix selects a group.
    fn key(&self) -> String;

    /// Reads a row that was written by version `from` of this struct.
    fn migrate(from: u32, _body: &str) -> Result<Self, String> {
        Err(format!("it has version {from}, and this escale knows version {}", Self::VERSION))
    }
}

pub(crate) type Cell = Arc<dyn Any + Send + Sync>;

/// A table that a [`Store`](crate::Store) opens.
#[derive(Clone, Copy)]
pub struct TableDef {
    pub(crate) name: &'static str,
    pub(crate) decode: fn(u32, &str) -> Result<Cell, String>,
}

impl TableDef {
    pub const fn of<R: Row>() -> TableDef {
        TableDef { name: R::TABLE, decode: decode::<R> }
    }

    pub const fn name(&self) -> &'static str {
        self.name
    }
}

fn decode<R: Row>(version: u32, body: &str) -> Result<Cell, String> {
    let row: R = if version == R::VERSION {
        serde_json::from_str(body).map_err(|e| e.to_string())?
    } else {
        R::migrate(version, body)?
    };
    Ok(Arc::new(row))
}

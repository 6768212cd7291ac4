//! Items and their rows.

use crate::database::{Error, Pool};
use serde::Serialize;
use tokio_postgres::Row;

/// Created by the first task; the lock makes the others wait for it instead of failing.
pub const TABLE: &str = "
BEGIN;
SELECT pg_advisory_xact_lock(7423);
CREATE TABLE IF NOT EXISTS items (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    price_cents bigint NOT NULL,
    picture text,
    added timestamptz NOT NULL DEFAULT now()
);
COMMIT;";

#[derive(Serialize)]
pub struct Item {
    pub id: i64,
    pub name: String,
    pub price_cents: i64,
    pub has_picture: bool,
}

impl From<Row> for Item {
    fn from(row: Row) -> Item {
        Item { id: row.get(0), name: row.get(1), price_cents: row.get(2), has_picture: row.get(3) }
    }
}

/// Newest first.
pub async fn latest(pool: &Pool, limit: i64) -> Result<Vec<Item>, Error> {
    let sql = "SELECT id, name, price_cents, picture IS NOT NULL FROM items ORDER BY id DESC LIMIT $1";
    Ok(pool.query(sql, &[&limit]).await?.into_iter().map(Item::from).collect())
}

pub async fn add(pool: &Pool, name: &str, price_cents: i64) -> Result<Item, Error> {
    let sql = "INSERT INTO items (name, price_cents) VALUES ($1, $2) RETURNING id, name, price_cents, false";
    let row = pool.query(sql, &[&name, &price_cents]).await?.into_iter().next();
    row.map(Item::from).ok_or(Error::NoRow)
}

/// The object key of an item's picture; `None` when the item does not exist.
pub async fn picture(pool: &Pool, id: i64) -> Result<Option<Option<String>>, Error> {
    let rows = pool.query("SELECT picture FROM items WHERE id = $1", &[&id]).await?;
    Ok(rows.first().map(|row| row.get(0)))
}

pub async fn set_picture(pool: &Pool, id: i64, key: &str) -> Result<(), Error> {
    pool.query("UPDATE items SET picture = $2 WHERE id = $1", &[&id, &key]).await.map(|_| ())
}

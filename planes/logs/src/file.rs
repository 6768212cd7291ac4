//! The log plane in one SQLite file.
//!
//! Messages are sorted by stream and time, so that reading the last minutes costs only those. The file uses a write-ahead
//! log without a flush at each append: a killed process loses nothing, a power failure the last moments.

mod trim;

use crate::{Kept, LogStore, Message, Page, Pattern, Position, Query, SCANNED_PER_READ, Summary};
use async_trait::async_trait;
use escale_base::{PlaneError, Timestamp, error::Context};
use escale_files::disk::OnDisk;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter, types::Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS streams(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, count INTEGER NOT NULL, last_arrival INTEGER NOT NULL,
  bytes INTEGER NOT NULL, kept INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS messages(
  stream INTEGER NOT NULL, at INTEGER NOT NULL, number INTEGER NOT NULL, arrived INTEGER NOT NULL,
  text TEXT NOT NULL, PRIMARY KEY(stream, at, number)) WITHOUT ROWID;
";

/// The real log plane.
#[derive(Clone)]
pub struct FileStore(Arc<Inner>);

struct Inner {
    path: PathBuf,
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
}

impl FileStore {
    /// Opens or creates `logs.db` in a directory.
    pub fn open(dir: &Path) -> Result<FileStore, PlaneError> {
        std::fs::create_dir_all(dir).machine(|| format!("make {}", dir.display()))?;
        let path = dir.join("logs.db");
        let connect = || -> rusqlite::Result<Connection> {
            let conn = Connection::open(&path)?;
            conn.pragma_update(None, "journal_mode", "WAL")?;
            conn.pragma_update(None, "synchronous", "NORMAL")?;
            conn.busy_timeout(std::time::Duration::from_secs(10))?;
            conn.execute_batch(SCHEMA)?;
            count_kept(&conn)?;
            Ok(conn)
        };
        let what = || format!("open the log file {}", path.display());
        let (writer, reader) = (connect().machine(what)?, connect().machine(what)?);
        let inner = Inner { writer: Mutex::new(writer), reader: Mutex::new(reader), path };
        Ok(FileStore(Arc::new(inner)))
    }

    async fn with<T: Send + 'static>(
        &self,
        write: bool,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, PlaneError> {
        let inner = Arc::clone(&self.0);
        let run = move || {
            let lock = if write { &inner.writer } else { &inner.reader };
            work(&mut lock.lock().unwrap_or_else(PoisonError::into_inner))
        };
        let result = tokio::task::spawn_blocking(run).await.plane(|| "run a query on the log file".into())?;
        result.on_disk(&self.0.path, || format!("use the log file {}", self.0.path.display()))
    }
}

#[async_trait]
impl LogStore for FileStore {
    async fn append(&self, stream: &str, messages: Vec<Message>, at: Timestamp) -> Result<u64, PlaneError> {
        let stream = stream.to_owned();
        self.with(true, move |conn| append(conn, &stream, &messages, at)).await
    }

    async fn read(&self, streams: &[String], query: &Query) -> Result<Page, PlaneError> {
        let (streams, query) = (streams.to_vec(), query.clone());
        self.with(false, move |conn| read(conn, &streams, &query)).await
    }

    async fn summaries(&self, streams: &[String]) -> Result<BTreeMap<String, Summary>, PlaneError> {
        let streams = streams.to_vec();
        self.with(false, move |conn| {
            let mut found = BTreeMap::new();
            for name in streams {
                if let Some(summary) = summary(conn, &name)? {
                    found.insert(name, summary);
                }
            }
            Ok(found)
        })
        .await
    }

    async fn streams(&self) -> Result<BTreeSet<String>, PlaneError> {
        self.with(false, |conn| {
            let mut statement = conn.prepare_cached("SELECT name FROM streams")?;
            statement.query_map([], |row| row.get(0))?.collect()
        })
        .await
    }

    async fn expire(&self, stream: &str, before: Timestamp) -> Result<u64, PlaneError> {
        let stream = stream.to_owned();
        self.with(true, move |conn| {
            let tx = conn.transaction()?;
            let Some(id) = id_of(&tx, &stream)? else { return Ok(0) };
            let freed: i64 = tx.query_row(
                "SELECT coalesce(sum(length(CAST(text AS BLOB))), 0) FROM messages WHERE stream=? AND at<?",
                params![id, before.0],
                |row| row.get(0),
            )?;
            let gone = tx.execute("DELETE FROM messages WHERE stream=? AND at<?", params![id, before.0])?;
            let change = "UPDATE streams SET bytes=bytes-?, kept=kept-? WHERE id=?";
            tx.execute(change, params![freed, gone as i64, id])?;
            tx.commit()?;
            Ok(gone as u64)
        })
        .await
    }

    async fn trim(&self, streams: &[String], most_bytes: u64, note: &str) -> Result<u64, PlaneError> {
        let (streams, note) = (streams.to_vec(), note.to_owned());
        self.with(true, move |conn| trim::trim(conn, &streams, most_bytes, &note)).await
    }

    async fn forget(&self, stream: &str) -> Result<(), PlaneError> {
        let stream = stream.to_owned();
        self.with(true, move |conn| {
            let tx = conn.transaction()?;
            if let Some(id) = id_of(&tx, &stream)? {
                tx.execute("DELETE FROM messages WHERE stream=?", [id])?;
                tx.execute("DELETE FROM streams WHERE id=?", [id])?;
            }
            tx.commit()
        })
        .await
    }
}

/// Upgrades a file of a version that did not count the stored messages.
fn count_kept(conn: &Connection) -> rusqlite::Result<()> {
    let known: bool = conn.query_row(
        "SELECT EXISTS(SELECT 1 FROM pragma_table_info('streams') WHERE name='kept')",
        [],
        |row| row.get(0),
    )?;
    if known {
        Ok(())
    } else {
        conn.execute_batch(
            "BEGIN IMMEDIATE;
             ALTER TABLE streams ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;
             UPDATE streams SET kept=(SELECT count(*) FROM messages WHERE stream=streams.id);
             COMMIT;",
        )
    }
}

fn id_of(conn: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    conn.query_row("SELECT id FROM streams WHERE name=?", [name], |row| row.get(0)).optional()
}

fn append(conn: &mut Connection, stream: &str, messages: &[Message], at: Timestamp) -> rusqlite::Result<u64> {
    let tx = conn.transaction()?;
    tx.execute(
        "INSERT OR IGNORE INTO streams(name, count, last_arrival, bytes) VALUES(?, 0, 0, 0)",
        [stream],
    )?;
    let (id, mut count): (i64, i64) =
        tx.query_row("SELECT id, count FROM streams WHERE name=?", [stream], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let mut bytes = 0i64;
    {
        let mut insert = tx.prepare_cached("INSERT INTO messages VALUES(?, ?, ?, ?, ?)")?;
        for message in messages {
            count += 1;
            bytes += message.text.len() as i64;
            insert.execute(params![id, message.at.0, count, at.0, message.text])?;
        }
    }
    tx.execute(
        "UPDATE streams SET count=?, last_arrival=?, bytes=bytes+?, kept=kept+? WHERE id=?",
        params![count, at.0, bytes, messages.len() as i64, id],
    )?;
    tx.commit()?;
    Ok(count as u64)
}

fn read(conn: &mut Connection, streams: &[String], query: &Query) -> rusqlite::Result<Page> {
    let mut ids: Vec<i64> = Vec::new();
    for name in streams {
        ids.extend(id_of(conn, name)?);
    }
    let (sql, values) = select(&ids, query);
    let mut statement = conn.prepare(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut page = Page::default();
    let mut scanned = 0;
    while let Some(row) = rows.next()? {
        if page.messages.len() == query.limit || scanned == SCANNED_PER_READ {
            page.more = true;
            break;
        }
        scanned += 1;
        let kept = Kept {
            position: Position {
                at: Timestamp(row.get(0)?),
                stream: row.get(1)?,
                number: row.get::<_, i64>(2)? as u64,
            },
            arrived: Timestamp(row.get(3)?),
            text: row.get(4)?,
        };
        page.last = Some(kept.position.clone());
        if passes(&query.pattern, &kept.text) {
            page.messages.push(kept);
        }
    }
    Ok(page)
}

fn passes(pattern: &Pattern, text: &str) -> bool {
    *pattern == Pattern::default() || pattern.matches(text)
}

fn select(ids: &[i64], query: &Query) -> (String, Vec<Value>) {
    let list: Vec<String> = ids.iter().map(i64::to_string).collect();
    let mut sql = format!(
        "SELECT m.at, s.name, m.number, m.arrived, m.text FROM messages m JOIN streams s ON s.id=m.stream \
         WHERE m.stream IN ({})",
        list.join(",")
    );
    let mut values = Vec::new();
    if let Some(from) = query.from {
        sql.push_str(" AND m.at>=?");
        values.push(Value::Integer(from.0));
    }
    if let Some(until) = query.until {
        sql.push_str(" AND m.at<?");
        values.push(Value::Integer(until.0));
    }
    let (comparison, order) = if query.backward { ("<", "DESC") } else { (">", "ASC") };
    if let Some(after) = &query.after {
        // Only the first comparison can use the index.
        sql.push_str(&format!(" AND m.at{comparison}=? AND (m.at, s.name, m.number){comparison}(?, ?, ?)"));
        values.push(Value::Integer(after.at.0));
        values.push(Value::Integer(after.at.0));
        values.push(Value::Text(after.stream.clone()));
        values.push(Value::Integer(after.number as i64));
    }
    sql.push_str(&format!(" ORDER BY m.at {order}, s.name {order}, m.number {order}"));
    (sql, values)
}

fn summary(conn: &Connection, name: &str) -> rusqlite::Result<Option<Summary>> {
    let known = conn
        .query_row("SELECT id, count, last_arrival, bytes, kept FROM streams WHERE name=?", [name], |row| {
            let number = |column| row.get::<_, i64>(column);
            Ok((number(0)?, number(1)?, number(2)?, number(3)?, number(4)?))
        })
        .optional()?;
    let Some((id, count, last_arrival, bytes, kept)) = known else { return Ok(None) };
    let (first, last): (Option<i64>, Option<i64>) = conn.query_row(
        "SELECT (SELECT min(at) FROM messages WHERE stream=?1), (SELECT max(at) FROM messages WHERE stream=?1)",
        [id],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(Some(Summary {
        first: first.map(Timestamp),
        last: last.map(Timestamp),
        last_arrival: Timestamp(last_arrival),
        count: count as u64,
        bytes: bytes as u64,
        kept: kept as u64,
    }))
}

//! Drops the oldest messages of several streams.

use crate::MESSAGE_BYTES;
use rusqlite::{Connection, Transaction, params};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
};

/// Messages of a stream that are read at once.
const BATCH: i64 = 256;

/// A message's position in its stream, and its size.
type Found = (i64, i64, u64);

pub(super) fn trim(
    conn: &mut Connection,
    streams: &[String],
    most_bytes: u64,
    note: &str,
) -> rusqlite::Result<u64> {
    let tx = conn.transaction()?;
    let (mut held, mut ids) = (0u64, Vec::new());
    for name in streams {
        let mut query = tx.prepare_cached("SELECT id, bytes, kept FROM streams WHERE name=?")?;
        let mut rows = query.query([name])?;
        if let Some(row) = rows.next()? {
            ids.push(row.get::<_, i64>(0)?);
            held += row.get::<_, i64>(1)? as u64 + row.get::<_, i64>(2)? as u64 * MESSAGE_BYTES;
        }
    }
    if held <= most_bytes {
        return Ok(0);
    }
    let cuts = cuts(&tx, &ids, held - (most_bytes - most_bytes / 16))?;
    let mut all = 0;
    for (id, Cut { at, number, dropped, bytes }) in cuts {
        let gone = "DELETE FROM messages WHERE stream=?1 AND (at<?2 OR (at=?2 AND number<=?3))";
        tx.execute(gone, params![id, at, number])?;
        // At the position of the last dropped message, so that the note is among the first to be dropped next time.
        tx.execute("INSERT INTO messages VALUES(?, ?, ?, ?, ?)", params![id, at, number, at, note])?;
        let less = bytes as i64 - note.len() as i64;
        let change = "UPDATE streams SET bytes=bytes-?, kept=kept-? WHERE id=?";
        tx.execute(change, params![less, dropped as i64 - 1, id])?;
        all += dropped;
    }
    tx.commit()?;
    Ok(all)
}

/// The last message of a stream to drop, with the number of dropped messages and their bytes of text.
#[derive(Default)]
struct Cut {
    at: i64,
    number: i64,
    dropped: u64,
    bytes: u64,
}

/// Walks the streams in order of time, like a merge of sorted lists, until the messages passed make up `excess`.
fn cuts(tx: &Transaction<'_>, ids: &[i64], excess: u64) -> rusqlite::Result<HashMap<i64, Cut>> {
    let (mut cuts, mut freed) = (HashMap::<i64, Cut>::new(), 0u64);
    let mut ahead: HashMap<i64, VecDeque<Found>> = HashMap::new();
    let mut next = BinaryHeap::new();
    for id in ids {
        let found = after(tx, *id, i64::MIN, i64::MIN)?;
        next.extend(found.front().map(|(at, number, _)| Reverse((*at, *id, *number))));
        ahead.insert(*id, found);
    }
    while freed < excess {
        let Some(Reverse((at, id, number))) = next.pop() else { break };
        let Some(found) = ahead.get_mut(&id) else { break };
        let Some((_, _, bytes)) = found.pop_front() else { break };
        freed += bytes + MESSAGE_BYTES;
        let cut = cuts.entry(id).or_default();
        *cut = Cut { at, number, dropped: cut.dropped + 1, bytes: cut.bytes + bytes };
        if found.is_empty() {
            *found = after(tx, id, at, number)?;
        }
        next.extend(found.front().map(|(at, number, _)| Reverse((*at, id, *number))));
    }
    Ok(cuts)
}

fn after(tx: &Transaction<'_>, id: i64, at: i64, number: i64) -> rusqlite::Result<VecDeque<Found>> {
    let mut query = tx.prepare_cached(
        "SELECT at, number, length(CAST(text AS BLOB)) FROM messages \
         WHERE stream=?1 AND at>=?2 AND (at, number)>(?2, ?3) ORDER BY at, number LIMIT ?4",
    )?;
    let rows = query.query_map(params![id, at, number, BATCH], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)? as u64))
    })?;
    rows.collect()
}

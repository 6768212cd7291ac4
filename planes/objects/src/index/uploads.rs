//! Multipart uploads as rows.

use super::{LIST, NewObject, Tx, add_content, bucket, pack, put_object, release};
use crate::{
    Algorithm, ChecksumKind, Checksums, Complete, Error, Labels, Limits, Meta, NewUpload, Object, Part,
    Result, Upload, UploadAt, UploadId, digest, rules,
};
use escale_base::{Timestamp, error::Context, ids::random_hex};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeMap;

pub(crate) fn create_upload(
    tx: &mut Tx<'_>,
    (bucket_name, key): (&str, &str),
    spec: &NewUpload,
    now: Timestamp,
) -> Result<UploadId> {
    let bucket = bucket(tx.sql, bucket_name)?.id;
    // The number first, so that ids sort by the time of their start.
    let id = format!("{:016x}{}", tx.ids.next(), random_hex(16));
    let json = |text: serde_json::Result<String>| text.plane(|| format!("write the upload of '{key}'"));
    tx.sql.execute(
        "INSERT INTO uploads(bucket, key, id, started, tags, meta, checksum) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            bucket,
            key,
            id,
            now.0,
            json(serde_json::to_string(&spec.tags))?,
            json(serde_json::to_string(&spec.meta))?,
            checksum_text(spec.checksum),
        ],
    )?;
    Ok(UploadId(id))
}

fn checksum_text(checksum: Option<(Algorithm, ChecksumKind)>) -> String {
    let Some((algorithm, kind)) = checksum else { return String::new() };
    let place = Algorithm::ALL.iter().position(|a| *a == algorithm).unwrap_or_default();
    format!("{place}{}", if kind == ChecksumKind::Composite { "c" } else { "f" })
}

fn checksum_from(text: &str) -> Option<(Algorithm, ChecksumKind)> {
    let algorithm = *Algorithm::ALL.get(text.get(..1)?.parse::<usize>().ok()?)?;
    let kind = if text.ends_with('c') { ChecksumKind::Composite } else { ChecksumKind::FullObject };
    Some((algorithm, kind))
}

pub(crate) fn upload_from(row: &Row<'_>) -> rusqlite::Result<Upload> {
    Ok(Upload {
        key: row.get("key")?,
        id: UploadId(row.get("id")?),
        started: Timestamp(row.get("started")?),
        checksum: checksum_from(row.get_ref("checksum")?.as_str()?),
    })
}

pub(crate) fn upload(sql: &Connection, at: &UploadAt) -> Result<Upload> {
    let bucket = bucket(sql, &at.bucket)?.id;
    let mut find = sql.prepare_cached("SELECT * FROM uploads WHERE bucket = ?1 AND key = ?2 AND id = ?3")?;
    let found = find.query_row(params![bucket, at.key, at.id.0], upload_from).optional()?;
    found.ok_or_else(|| Error::NoSuchUpload { key: at.key.clone(), id: at.id.0.clone() })
}

/// Replaces a part with the same number.
pub(crate) fn put_part(tx: &mut Tx<'_>, at: &UploadAt, part: &Part, content: i64) -> Result<()> {
    upload(tx.sql, at)?;
    let old: Option<i64> = tx
        .sql
        .prepare_cached("DELETE FROM parts WHERE upload = ?1 AND number = ?2 RETURNING content")?
        .query_row(params![at.id.0, part.number], |row| row.get(0))
        .optional()?;
    // A client that retries a part replaces the first attempt.
    old.map_or(Ok(()), |old| release(tx, old))?;
    tx.sql
        .prepare_cached(
            "INSERT INTO parts(upload, number, content, size, etag, modified, sums) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            at.id.0,
            part.number,
            content,
            part.size_bytes,
            part.etag,
            part.modified.0,
            digest::to_text(&part.checksums)
        ])?;
    Ok(())
}

fn part_from(row: &Row<'_>) -> rusqlite::Result<Part> {
    let checksums: Checksums = digest::from_text(row.get_ref("sums")?.as_str()?);
    Ok(Part {
        number: row.get("number")?,
        size_bytes: row.get("size")?,
        etag: row.get("etag")?,
        modified: Timestamp(row.get("modified")?),
        checksums,
    })
}

/// Up to `limit` parts after number `after`, with their contents.
pub(crate) fn parts(sql: &Connection, upload: &str, after: u32, limit: usize) -> Result<Vec<(Part, i64)>> {
    let mut find =
        sql.prepare_cached("SELECT * FROM parts WHERE upload = ?1 AND number > ?2 ORDER BY number LIMIT ?3")?;
    let rows =
        find.query_map(params![upload, after, limit as i64], |r| Ok((part_from(r)?, r.get("content")?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn complete_upload(
    tx: &mut Tx<'_>,
    at: &UploadAt,
    spec: &Complete,
    limits: &Limits,
    now: Timestamp,
) -> Result<Object> {
    let upload = upload(tx.sql, at)?;
    let stored = parts(tx.sql, &at.id.0, 0, usize::MAX >> 1)?;
    let contents: BTreeMap<u32, i64> = stored.iter().map(|(p, content)| (p.number, *content)).collect();
    let uploaded: BTreeMap<u32, Part> = stored.into_iter().map(|(p, _)| (p.number, p)).collect();
    let whole = rules::assemble(&uploaded, upload.checksum, spec, limits)?;
    let children: Vec<(i64, u64)> =
        whole.numbers.iter().map(|n| (contents[n], uploaded[n].size_bytes)).collect();
    let content = tx.ids.next();
    // A list of the parts' contents: completing a large upload must not copy its bytes.
    add_content(tx, content, whole.size_bytes, LIST, Some(&pack(&children)))?;
    let (meta, tags) = drop_upload(tx, at)?;
    // Their contents now belong to the object; the rest of the upload is dropped.
    for number in &whole.numbers {
        tx.sql
            .prepare_cached("DELETE FROM parts WHERE upload = ?1 AND number = ?2")?
            .execute(params![at.id.0, number])?;
    }
    drop_parts(tx, &at.id.0)?;
    let new = NewObject {
        content,
        size_bytes: whole.size_bytes,
        etag: whole.etag,
        checksums: whole.checksums,
        parts: Some(children.len() as u32),
        meta,
        tags,
        modified: now,
    };
    put_object(tx, (&at.bucket, &at.key), new, &spec.condition)
}

pub(crate) fn abort_upload(tx: &mut Tx<'_>, at: &UploadAt) -> Result<()> {
    upload(tx.sql, at)?;
    drop_upload(tx, at)?;
    drop_parts(tx, &at.id.0)
}

fn drop_upload(tx: &Tx<'_>, at: &UploadAt) -> Result<(Meta, Labels)> {
    let bucket = bucket(tx.sql, &at.bucket)?.id;
    let sql = "DELETE FROM uploads WHERE bucket = ?1 AND key = ?2 AND id = ?3 RETURNING meta, tags";
    let text = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?));
    let (meta, tags) = tx.sql.query_row(sql, params![bucket, at.key, at.id.0], text)?;
    let place = || format!("read the upload of '{}'", at.key);
    Ok((serde_json::from_str(&meta).plane(place)?, serde_json::from_str(&tags).plane(place)?))
}

/// Drops the remaining parts of an upload, with their bytes.
pub(crate) fn drop_parts(tx: &mut Tx<'_>, upload: &str) -> Result<()> {
    let contents: Vec<i64> = tx
        .sql
        .prepare_cached("DELETE FROM parts WHERE upload = ?1 RETURNING content")?
        .query_map([upload], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    contents.into_iter().try_for_each(|content| release(tx, content))
}

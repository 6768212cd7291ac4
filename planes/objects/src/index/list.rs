//! Listings with prefix and delimiter. Keys below a common prefix are skipped, not read.

use super::{bucket, by_version, entry_from, rank_of, upload_from};
use crate::rules::{rolled_up, successor};
use crate::{
    List, ListUploads, ListVersions, Listing, PAGE, Result, UploadId, UploadListing, VersionId,
    VersionListing,
};
use rusqlite::{Connection, params};

/// Versions of one key that are skipped one by one before a new search is cheaper.
const STEPS: u32 = 8;

/// The position of the walk: everything up to this key and rank is done.
struct Cursor {
    key: String,
    rank: i64,
}

impl Cursor {
    fn before(key: impl Into<String>) -> Cursor {
        Cursor { key: key.into(), rank: i64::MIN }
    }
    fn behind(key: impl Into<String>) -> Cursor {
        Cursor { key: key.into(), rank: i64::MAX }
    }

    /// The position after `after`, or after all keys of a common prefix; `None` at the end of the list.
    fn start(prefix: &str, delimiter: Option<&str>, after: Option<&str>) -> Option<Cursor> {
        match after {
            // The last page ended with a common prefix: all keys below it are done.
            Some(after) if rolled_up(after, prefix, delimiter) == Some(after) => {
                successor(after).map(Cursor::before)
            }
            Some(after) if after >= prefix => Some(Cursor::behind(after)),
            _ => Some(Cursor::before(prefix)),
        }
    }
}

pub(crate) fn list(sql: &Connection, bucket_name: &str, spec: &List) -> Result<Listing> {
    let bucket = bucket(sql, bucket_name)?.id;
    let (limit, delimiter) = (spec.limit.min(PAGE), spec.delimiter.as_deref());
    let mut out = Listing::default();
    let mut cursor = Cursor::start(&spec.prefix, delimiter, spec.after.as_deref());
    let mut find = sql.prepare_cached(
        "SELECT key, version, marker, size, etag, modified, sums FROM objects
         WHERE bucket = ?1 AND (key, rank) > (?2, ?3) ORDER BY key, rank",
    )?;
    let mut last = String::new();
    'seek: while let Some(at) = cursor.take().filter(|_| limit > 0) {
        let mut rows = find.query(params![bucket, at.key, at.rank])?;
        let mut newest_of = String::new();
        let mut steps = 0;
        while let Some(row) = rows.next()? {
            let key = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            if !key.starts_with(&spec.prefix) {
                break 'seek;
            }
            if key == newest_of {
                steps += 1;
                if steps > STEPS {
                    cursor = Some(Cursor::behind(key));
                    continue 'seek;
                }
                continue;
            }
            (newest_of, steps) = (key.to_owned(), 0);
            // The newest version is a delete marker, so the key has no current object; its older versions are skipped above.
            if row.get("marker")? {
                continue;
            }
            // Only a further entry proves that there is a next page; a full page alone may be the last one.
            if out.objects.len() + out.common_prefixes.len() == limit {
                out.next = Some(last);
                break 'seek;
            }
            if let Some(common) = rolled_up(key, &spec.prefix, delimiter) {
                last = common.to_owned();
                out.common_prefixes.push(last.clone());
                cursor = successor(common).map(Cursor::before);
                continue 'seek;
            }
            last = newest_of.clone();
            out.objects.push(entry_from(row, true)?);
        }
    }
    Ok(out)
}

pub(crate) fn list_versions(
    sql: &Connection,
    bucket_name: &str,
    spec: &ListVersions,
) -> Result<VersionListing> {
    let bucket = bucket(sql, bucket_name)?.id;
    let (limit, delimiter) = (spec.limit.min(PAGE), spec.delimiter.as_deref());
    let mut out = VersionListing::default();
    // The key whose newest version is before the cursor.
    let mut newest_of = None;
    let mut cursor = match &spec.after {
        Some((key, Some(version))) if *key >= spec.prefix => {
            newest_of = Some(key.clone());
            Some(Cursor { key: key.clone(), rank: rank(sql, bucket, key, version)? })
        }
        after => Cursor::start(&spec.prefix, delimiter, after.as_ref().map(|(key, _)| key.as_str())),
    };
    let mut find = sql.prepare_cached(
        "SELECT key, version, marker, size, etag, modified, sums FROM objects
         WHERE bucket = ?1 AND (key, rank) > (?2, ?3) ORDER BY key, rank",
    )?;
    let mut last = None;
    'seek: while let Some(at) = cursor.take().filter(|_| limit > 0) {
        let mut rows = find.query(params![bucket, at.key, at.rank])?;
        while let Some(row) = rows.next()? {
            let key = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            if !key.starts_with(&spec.prefix) {
                break 'seek;
            }
            if out.entries.len() + out.common_prefixes.len() == limit {
                out.next = last;
                break 'seek;
            }
            if let Some(common) = rolled_up(key, &spec.prefix, delimiter) {
                last = Some((common.to_owned(), None));
                out.common_prefixes.push(common.to_owned());
                cursor = successor(common).map(Cursor::before);
                continue 'seek;
            }
            let is_latest = newest_of.as_deref() != Some(key);
            let entry = entry_from(row, is_latest)?;
            newest_of = Some(entry.key.clone());
            last = Some((entry.key.clone(), Some(entry.version.clone())));
            out.entries.push(entry);
        }
    }
    Ok(out)
}

/// A deleted version still has its position, except `null`: then the end of the key.
fn rank(sql: &Connection, bucket: i64, key: &str, version: &VersionId) -> Result<i64> {
    Ok(match rank_of(version) {
        Some(rank) => rank,
        None => by_version(sql, bucket, key, version)?.map_or(i64::MAX, |row| row.rank),
    })
}

pub(crate) fn list_uploads(sql: &Connection, bucket_name: &str, spec: &ListUploads) -> Result<UploadListing> {
    let bucket = bucket(sql, bucket_name)?.id;
    let (limit, delimiter) = (spec.limit.min(PAGE), spec.delimiter.as_deref());
    let mut out = UploadListing::default();
    // Ids are hexadecimal: '~' sorts after all of them, the empty text before.
    let place = |c: Cursor| (c.key, if c.rank == i64::MAX { "~".to_owned() } else { String::new() });
    let mut cursor = match &spec.after {
        Some((key, Some(UploadId(id)))) if *key >= spec.prefix => Some((key.clone(), id.clone())),
        after => {
            Cursor::start(&spec.prefix, delimiter, after.as_ref().map(|(key, _)| key.as_str())).map(place)
        }
    };
    let mut find = sql.prepare_cached(
        "SELECT * FROM uploads WHERE bucket = ?1 AND (key, id) > (?2, ?3) ORDER BY key, id",
    )?;
    let mut last = None;
    'seek: while let Some((key, id)) = cursor.take().filter(|_| limit > 0) {
        let mut rows = find.query(params![bucket, key, id])?;
        while let Some(row) = rows.next()? {
            let upload = upload_from(row)?;
            if !upload.key.starts_with(&spec.prefix) {
                break 'seek;
            }
            if out.uploads.len() + out.common_prefixes.len() == limit {
                out.next = last;
                break 'seek;
            }
            if let Some(common) = rolled_up(&upload.key, &spec.prefix, delimiter) {
                last = Some((common.to_owned(), None));
                out.common_prefixes.push(common.to_owned());
                cursor = successor(common).map(|key| (key, String::new()));
                continue 'seek;
            }
            last = Some((upload.key.clone(), Some(upload.id.clone())));
            out.uploads.push(upload);
        }
    }
    Ok(out)
}

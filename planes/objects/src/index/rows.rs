//! Buckets, objects and their contents as rows.

use super::Tx;
use crate::{
    Bucket, Checksums, Condition, Delete, Deleted, Entry, Error, Labels, Meta, Object, Result, VersionId,
    Versioning, digest, rules,
};
use escale_base::{Timestamp, error::Context, ids::random_hex};
use rusqlite::{Connection, OptionalExtension, Row, params};

pub(crate) const INLINE: i64 = 0;
pub(crate) const FILE: i64 = 1;
pub(crate) const LIST: i64 = 2;

/// A bucket's row.
pub(crate) struct BucketRow {
    pub(crate) id: i64,
    pub(crate) bucket: Bucket,
}

pub(crate) fn bucket(sql: &Connection, name: &str) -> Result<BucketRow> {
    let mut find = sql.prepare_cached("SELECT id, created, versioning FROM buckets WHERE name = ?1")?;
    let found = find.query_row([name], |row| bucket_from(row, name.to_owned())).optional()?;
    found.ok_or_else(|| Error::NoSuchBucket(name.to_owned()))
}

fn bucket_from(row: &Row<'_>, name: String) -> rusqlite::Result<BucketRow> {
    let versioning = match row.get_ref("versioning")?.as_str()? {
        "enabled" => Versioning::Enabled,
        "suspended" => Versioning::Suspended,
        _ => Versioning::Off,
    };
    let created = Timestamp(row.get("created")?);
    Ok(BucketRow { id: row.get("id")?, bucket: Bucket { name, created, versioning } })
}

pub(crate) fn buckets(sql: &Connection) -> Result<Vec<Bucket>> {
    let mut all = sql.prepare_cached("SELECT id, name, created, versioning FROM buckets ORDER BY name")?;
    let rows = all.query_map([], |row| bucket_from(row, row.get("name")?))?;
    Ok(rows.map(|row| row.map(|r| r.bucket)).collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn create_bucket(tx: &mut Tx<'_>, name: &str, created: Timestamp) -> Result<Bucket> {
    rules::check_bucket_name(name)?;
    let sql = "INSERT INTO buckets(name, created, versioning) VALUES(?1, ?2, 'off') ON CONFLICT DO NOTHING";
    if tx.sql.execute(sql, params![name, created.0])? == 0 {
        return Err(Error::BucketExists(name.to_owned()));
    }
    Ok(Bucket { name: name.to_owned(), created, versioning: Versioning::Off })
}

pub(crate) fn delete_bucket(tx: &mut Tx<'_>, name: &str) -> Result<()> {
    let id = bucket(tx.sql, name)?.id;
    let holds = "SELECT EXISTS(SELECT 1 FROM objects WHERE bucket = ?1)";
    if tx.sql.query_row(holds, [id], |row| row.get::<_, bool>(0))? {
        return Err(Error::BucketNotEmpty(name.to_owned()));
    }
    // Uploads in progress do not prevent the deletion: they are aborted.
    let uploads: Vec<String> = tx
        .sql
        .prepare("DELETE FROM uploads WHERE bucket = ?1 RETURNING id")?
        .query_map([id], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for upload in uploads {
        super::drop_parts(tx, &upload)?;
    }
    tx.sql.execute("DELETE FROM buckets WHERE id = ?1", [id])?;
    Ok(())
}

pub(crate) fn set_versioning(tx: &mut Tx<'_>, name: &str, versioning: Versioning) -> Result<()> {
    let row = bucket(tx.sql, name)?;
    let word = match versioning {
        // Older versions would become unreachable; suspending keeps them.
        Versioning::Off if row.bucket.versioning != Versioning::Off => {
            return Err(Error::VersioningStays(name.to_owned()));
        }
        Versioning::Off => "off",
        Versioning::Enabled => "enabled",
        Versioning::Suspended => "suspended",
    };
    tx.sql.execute("UPDATE buckets SET versioning = ?2 WHERE id = ?1", params![row.id, word])?;
    Ok(())
}

/// An object's row: the caller's view of it, and where its bytes are.
pub(crate) struct ObjectRow {
    pub(crate) object: Object,
    pub(crate) rank: i64,
    pub(crate) content: i64,
}

pub(crate) fn entry_from(row: &Row<'_>, is_latest: bool) -> rusqlite::Result<Entry> {
    Ok(Entry {
        key: row.get("key")?,
        version: VersionId(row.get("version")?),
        is_latest,
        is_delete_marker: row.get("marker")?,
        size_bytes: row.get("size")?,
        etag: row.get("etag")?,
        modified: Timestamp(row.get("modified")?),
        checksums: digest::from_text(row.get_ref("sums")?.as_str()?),
    })
}

fn object_from(row: &Row<'_>, is_latest: bool) -> rusqlite::Result<ObjectRow> {
    let json = |e| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(e));
    let meta: Meta = serde_json::from_str(row.get_ref("meta")?.as_str()?).map_err(json)?;
    let tags: Labels = serde_json::from_str(row.get_ref("tags")?.as_str()?).map_err(json)?;
    let object = Object { entry: entry_from(row, is_latest)?, meta, tags, parts: row.get("parts")? };
    Ok(ObjectRow { object, rank: row.get("rank")?, content: row.get("content")? })
}

/// The newest version of a key, which may be a delete marker.
pub(crate) fn newest(sql: &Connection, bucket: i64, key: &str) -> Result<Option<ObjectRow>> {
    let find = "SELECT * FROM objects WHERE bucket = ?1 AND key = ?2 ORDER BY rank LIMIT 1";
    let mut find = sql.prepare_cached(find)?;
    Ok(find.query_row(params![bucket, key], |row| object_from(row, true)).optional()?)
}

/// The requested version, or the newest; when bytes are requested a delete marker is an error.
pub(crate) fn object(
    sql: &Connection,
    bucket_name: &str,
    key: &str,
    version: Option<&VersionId>,
) -> Result<ObjectRow> {
    let bucket = bucket(sql, bucket_name)?.id;
    let newest = newest(sql, bucket, key)?;
    let missing = |marker| Error::NoSuchKey { bucket: bucket_name.to_owned(), key: key.to_owned(), marker };
    let Some(version) = version else {
        return match newest {
            Some(row) if row.object.entry.is_delete_marker => Err(missing(Some(row.object.entry.version))),
            found => found.ok_or_else(|| missing(None)),
        };
    };
    let found = match newest {
        Some(row) if row.object.entry.version == *version => Some(row),
        _ => by_version(sql, bucket, key, version)?,
    };
    let row = found.ok_or_else(|| Error::NoSuchVersion {
        bucket: bucket_name.to_owned(),
        key: key.to_owned(),
        version: version.clone(),
    })?;
    let entry = &row.object.entry;
    if entry.is_delete_marker {
        let (version, modified) = (version.clone(), entry.modified);
        return Err(Error::IsDeleteMarker { key: key.to_owned(), version, modified });
    }
    Ok(row)
}

/// A version's id contains its rank; that of `null` has to be looked up.
pub(crate) fn by_version(
    sql: &Connection,
    bucket: i64,
    key: &str,
    version: &VersionId,
) -> Result<Option<ObjectRow>> {
    let mut find = sql.prepare_cached(
        "SELECT * FROM objects WHERE bucket = ?1 AND key = ?2 AND rank BETWEEN ?3 AND ?4 AND version = ?5",
    )?;
    // With a known rank this reads one row by its key; `null` may be at any rank.
    let (low, high) = match rank_of(version) {
        Some(rank) => (rank, rank),
        None => (i64::MIN, i64::MAX),
    };
    let args = params![bucket, key, low, high, version.0];
    // A caller that names a version does not need "is it the latest", except in lists.
    Ok(find.query_row(args, |row| object_from(row, false)).optional()?)
}

pub(crate) fn rank_of(version: &VersionId) -> Option<i64> {
    let number = version.0.get(..16).filter(|_| version.0.len() == 32)?;
    i64::from_str_radix(number, 16).ok().map(|n| -n)
}

/// A new object without its position among the versions.
pub(crate) struct NewObject {
    pub(crate) content: i64,
    pub(crate) size_bytes: u64,
    pub(crate) etag: String,
    pub(crate) checksums: Checksums,
    pub(crate) parts: Option<u32>,
    pub(crate) meta: Meta,
    pub(crate) tags: Labels,
    pub(crate) modified: Timestamp,
}

/// Makes `new` the key's current object if the condition holds. Its content's reference is already counted.
pub(crate) fn put_object(
    tx: &mut Tx<'_>,
    (bucket_name, key): (&str, &str),
    new: NewObject,
    condition: &Condition,
) -> Result<Object> {
    let row = bucket(tx.sql, bucket_name)?;
    // Inside the transaction, so that no other put can come between the check and the change.
    if *condition != Condition::None {
        let current = newest(tx.sql, row.id, key)?.map(|r| r.object.entry);
        let current = current.filter(|e| !e.is_delete_marker);
        rules::check_condition(condition, (bucket_name, key), current.as_ref())?;
    }
    let (rank, version) = make_room(tx, &row, key)?;
    let entry = Entry {
        key: key.to_owned(),
        version,
        is_latest: true,
        is_delete_marker: false,
        size_bytes: new.size_bytes,
        etag: new.etag,
        modified: new.modified,
        checksums: new.checksums,
    };
    let object = Object { entry, meta: new.meta, tags: new.tags, parts: new.parts };
    insert(tx, row.id, rank, new.content, &object)?;
    Ok(object)
}

/// The position of a key's next version. Where versioning is not enabled, the version `null` is replaced.
fn make_room(tx: &mut Tx<'_>, row: &BucketRow, key: &str) -> Result<(i64, VersionId)> {
    match row.bucket.versioning {
        Versioning::Off => {
            let mut rank_0 = tx.sql.prepare_cached(
                "DELETE FROM objects WHERE bucket = ?1 AND key = ?2 AND rank = 0 RETURNING content",
            )?;
            let content: Option<i64> = rank_0.query_row(params![row.id, key], |r| r.get(0)).optional()?;
            content.map_or(Ok(()), |content| release(tx, content))?;
            Ok((0, VersionId::null()))
        }
        Versioning::Enabled => {
            let id = tx.ids.next();
            // Negative, so that the newest version sorts first. The version's id contains the rank: see `rank_of`.
            Ok((-id, VersionId(format!("{id:016x}{}", random_hex(16)))))
        }
        Versioning::Suspended => {
            // There is at most one version `null`; the others stay.
            if let Some(old) = by_version(tx.sql, row.id, key, &VersionId::null())? {
                remove(tx, row.id, key, &old)?;
            }
            Ok((-tx.ids.next(), VersionId::null()))
        }
    }
}

fn insert(tx: &Tx<'_>, bucket: i64, rank: i64, content: i64, object: &Object) -> Result<()> {
    let entry = &object.entry;
    let json = |text: serde_json::Result<String>| text.plane(|| format!("write the row of '{}'", entry.key));
    let mut insert = tx.sql.prepare_cached(
        "INSERT INTO objects(bucket, key, rank, version, marker, content, size, etag, modified, sums, parts, tags, meta)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    insert.execute(params![
        bucket,
        entry.key,
        rank,
        entry.version.0,
        entry.is_delete_marker,
        content,
        entry.size_bytes,
        entry.etag,
        entry.modified.0,
        digest::to_text(&entry.checksums),
        object.parts,
        json(serde_json::to_string(&object.tags))?,
        json(serde_json::to_string(&object.meta))?,
    ])?;
    Ok(())
}

fn remove(tx: &mut Tx<'_>, bucket: i64, key: &str, row: &ObjectRow) -> Result<()> {
    tx.sql
        .prepare_cached("DELETE FROM objects WHERE bucket = ?1 AND key = ?2 AND rank = ?3")?
        .execute(params![bucket, key, row.rank])?;
    release(tx, row.content)
}

pub(crate) fn delete_object(
    tx: &mut Tx<'_>,
    (bucket_name, key): (&str, &str),
    spec: &Delete,
    now: Timestamp,
) -> Result<Deleted> {
    let bucket_row = bucket(tx.sql, bucket_name)?;
    let bucket = bucket_row.id;
    let newest = newest(tx.sql, bucket, key)?;
    let current = newest.as_ref().map(|r| &r.object.entry).filter(|e| !e.is_delete_marker);
    rules::check_condition(&spec.condition, (bucket_name, key), current)?;
    if let Some(version) = &spec.version {
        let found = by_version(tx.sql, bucket, key, version)?;
        let is_delete_marker = found.as_ref().is_some_and(|r| r.object.entry.is_delete_marker);
        // Deleting a version that does not exist succeeds, so a delete can be repeated.
        found.map_or(Ok(()), |row| remove(tx, bucket, key, &row))?;
        return Ok(Deleted { version: Some(version.clone()), is_delete_marker });
    }
    if bucket_row.bucket.versioning == Versioning::Off {
        newest.map_or(Ok(()), |row| remove(tx, bucket, key, &row))?;
        return Ok(Deleted { version: None, is_delete_marker: false });
    }
    let (rank, version) = make_room(tx, &bucket_row, key)?;
    let entry = Entry {
        key: key.to_owned(),
        version: version.clone(),
        is_latest: true,
        is_delete_marker: true,
        size_bytes: 0,
        etag: String::new(),
        modified: now,
        checksums: Checksums::new(),
    };
    let marker = Object { entry, meta: Meta::default(), tags: Labels::new(), parts: None };
    // Content 0: a delete marker has no bytes.
    insert(tx, bucket, rank, 0, &marker)?;
    Ok(Deleted { version: Some(version), is_delete_marker: true })
}

pub(crate) fn set_tags(
    tx: &mut Tx<'_>,
    (bucket_name, key): (&str, &str),
    version: Option<&VersionId>,
    tags: &Labels,
) -> Result<VersionId> {
    let row = object(tx.sql, bucket_name, key, version)?;
    let bucket = bucket(tx.sql, bucket_name)?.id;
    let tags = serde_json::to_string(tags).plane(|| format!("write the tags of '{key}'"))?;
    tx.sql.execute(
        "UPDATE objects SET tags = ?4 WHERE bucket = ?1 AND key = ?2 AND rank = ?3",
        params![bucket, key, row.rank, tags],
    )?;
    Ok(row.object.entry.version)
}

pub(crate) fn add_content(tx: &Tx<'_>, id: i64, size: u64, kind: i64, bytes: Option<&[u8]>) -> Result<()> {
    let sql = "INSERT INTO contents(id, refs, size, kind, bytes) VALUES(?1, 1, ?2, ?3, ?4)";
    tx.sql.prepare_cached(sql)?.execute(params![id, size, kind, bytes])?;
    Ok(())
}

/// Counts one more object with this content.
pub(crate) fn share(tx: &Tx<'_>, content: i64) -> Result<()> {
    tx.sql.prepare_cached("UPDATE contents SET refs = refs + 1 WHERE id = ?1")?.execute([content])?;
    Ok(())
}

/// Counts one object less with this content; the last one removes it with its files. Content 0 belongs to delete markers.
pub(crate) fn release(tx: &mut Tx<'_>, content: i64) -> Result<()> {
    let sql = "UPDATE contents SET refs = refs - 1 WHERE id = ?1 RETURNING refs, kind";
    let left: Option<(i64, i64)> =
        tx.sql.prepare_cached(sql)?.query_row([content], |r| Ok((r.get(0)?, r.get(1)?))).optional()?;
    let Some((0, kind)) = left else { return Ok(()) };
    match kind {
        FILE => tx.dead.push(content),
        LIST => {
            for (child, _) in children(tx.sql, content)? {
                release(tx, child)?;
            }
        }
        _ => {}
    }
    tx.sql.prepare_cached("DELETE FROM contents WHERE id = ?1")?.execute([content])?;
    Ok(())
}

pub(crate) fn children(sql: &Connection, content: i64) -> Result<Vec<(i64, u64)>> {
    let mut find = sql.prepare_cached("SELECT bytes FROM contents WHERE id = ?1")?;
    let packed: Vec<u8> = find.query_row([content], |row| row.get(0))?;
    let number = |b: &[u8]| b.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
    Ok(packed.chunks_exact(16).map(|c| (number(&c[..8]) as i64, number(&c[8..]))).collect())
}

pub(crate) fn pack(children: &[(i64, u64)]) -> Vec<u8> {
    children.iter().flat_map(|(id, size)| [id.to_le_bytes(), size.to_le_bytes()].concat()).collect()
}

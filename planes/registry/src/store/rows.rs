//! Repositories, their blobs, images and tags as rows.

use crate::manifest::Parsed;
use crate::{Descriptor, Digest, Error, Image, Reference, RepositorySpec, Result};
use escale_base::{Timestamp, error::Context};
use rusqlite::{Connection, OptionalExtension, Row, params, types::Type};
use std::collections::HashSet;

pub(super) fn prepare(sql: &Connection) -> rusqlite::Result<()> {
    sql.busy_timeout(std::time::Duration::from_secs(10))?;
    sql.pragma_update(None, "journal_mode", "WAL")?;
    sql.pragma_update(None, "synchronous", "FULL")?;
    sql.pragma_update(None, "foreign_keys", true)?;
    sql.execute_batch(
        "
CREATE TABLE IF NOT EXISTS repositories(name TEXT PRIMARY KEY, immutable INTEGER NOT NULL) WITHOUT ROWID;
-- Files that this registry put under blobs/. It must not remove other files there.
CREATE TABLE IF NOT EXISTS files(digest TEXT PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS links(
  repository TEXT NOT NULL REFERENCES repositories ON DELETE CASCADE, digest TEXT NOT NULL REFERENCES files,
  since INTEGER NOT NULL, PRIMARY KEY(repository, digest)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS links_of ON links(digest);
CREATE TABLE IF NOT EXISTS images(
  repository TEXT NOT NULL REFERENCES repositories ON DELETE CASCADE, digest TEXT NOT NULL REFERENCES files,
  media_type TEXT NOT NULL, size INTEGER NOT NULL, pushed INTEGER NOT NULL, subject TEXT,
  descriptor TEXT NOT NULL, PRIMARY KEY(repository, digest)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS images_of ON images(digest);
CREATE INDEX IF NOT EXISTS images_about ON images(repository, subject);
CREATE TABLE IF NOT EXISTS named(
  repository TEXT NOT NULL, image TEXT NOT NULL, child TEXT NOT NULL,
  PRIMARY KEY(repository, child, image),
  FOREIGN KEY(repository, image) REFERENCES images ON DELETE CASCADE) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS named_by ON named(repository, image);
CREATE TABLE IF NOT EXISTS tags(
  repository TEXT NOT NULL, tag TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY(repository, tag),
  FOREIGN KEY(repository, digest) REFERENCES images ON DELETE CASCADE) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tags_of ON tags(repository, digest);
-- Files of other registries' images, and where each of their manifests was got from.
CREATE TABLE IF NOT EXISTS cached(
  digest TEXT PRIMARY KEY REFERENCES files, used INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS admitted(
  source TEXT NOT NULL, digest TEXT NOT NULL REFERENCES cached ON DELETE CASCADE,
  PRIMARY KEY(source, digest)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS admitted_of ON admitted(digest);
CREATE TABLE IF NOT EXISTS uploads(
  id TEXT PRIMARY KEY, repository TEXT NOT NULL REFERENCES repositories ON DELETE CASCADE,
  started INTEGER NOT NULL) WITHOUT ROWID;
",
    )
}

fn digest_at(row: &Row<'_>, place: usize) -> rusqlite::Result<Digest> {
    let text = row.get_ref(place)?.as_str()?;
    text.parse().map_err(|e| rusqlite::Error::FromSqlConversionFailure(place, Type::Text, Box::new(e)))
}

pub(super) fn create_repository(sql: &Connection, name: &str, spec: RepositorySpec) -> Result<()> {
    let insert = "INSERT INTO repositories VALUES(?1, ?2) ON CONFLICT DO NOTHING";
    match sql.execute(insert, params![name, spec.immutable_tags])? {
        0 => Err(Error::RepositoryExists(name.to_owned())),
        _ => Ok(()),
    }
}

pub(super) fn repository(sql: &Connection, name: &str) -> Result<RepositorySpec> {
    let mut find = sql.prepare_cached("SELECT immutable FROM repositories WHERE name = ?1")?;
    let found =
        find.query_row([name], |row| Ok(RepositorySpec { immutable_tags: row.get(0)? })).optional()?;
    found.ok_or_else(|| Error::NoSuchRepository(name.to_owned()))
}

pub(super) fn set_repository(sql: &Connection, name: &str, spec: RepositorySpec) -> Result<()> {
    repository(sql, name)?;
    sql.execute(
        "UPDATE repositories SET immutable = ?2 WHERE name = ?1",
        params![name, spec.immutable_tags],
    )?;
    Ok(())
}

/// Returns the uploads that were in progress.
pub(super) fn delete_repository(sql: &Connection, name: &str) -> Result<Vec<String>> {
    repository(sql, name)?;
    let mut find = sql.prepare("SELECT id FROM uploads WHERE repository = ?1")?;
    let uploads = find.query_map([name], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    sql.execute("DELETE FROM repositories WHERE name = ?1", [name])?;
    Ok(uploads)
}

pub(super) fn repositories(sql: &Connection) -> Result<Vec<String>> {
    let mut find = sql.prepare("SELECT name FROM repositories ORDER BY name")?;
    Ok(find.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn blob_size(sql: &Connection, name: &str, digest: &Digest) -> Result<u64> {
    repository(sql, name)?;
    let mut find = sql.prepare_cached(
        "SELECT size FROM links JOIN files USING(digest) WHERE repository = ?1 AND digest = ?2",
    )?;
    let found = find.query_row([name, digest.as_str()], |row| row.get(0)).optional()?;
    found.ok_or_else(|| Error::NoSuchBlob { repository: name.to_owned(), digest: digest.clone() })
}

pub(super) fn add_file(sql: &Connection, digest: &Digest, size: u64) -> Result<()> {
    let insert = "INSERT INTO files VALUES(?1, ?2) ON CONFLICT DO NOTHING";
    sql.execute(insert, params![digest.as_str(), size])?;
    Ok(())
}

/// Records that the repository has the blob.
pub(super) fn link(sql: &Connection, name: &str, digest: &Digest, size: u64, now: i64) -> Result<()> {
    add_file(sql, digest, size)?;
    // A new push of an old blob restarts its grace period: its manifest may follow only now.
    let insert = "INSERT INTO links VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET since = excluded.since";
    sql.execute(insert, params![name, digest.as_str(), now])?;
    Ok(())
}

pub(super) fn delete_blob(sql: &Connection, name: &str, digest: &Digest) -> Result<()> {
    blob_size(sql, name, digest)?;
    // An image must stay complete as long as it exists.
    let named = "SELECT image FROM named WHERE repository = ?1 AND child = ?2 LIMIT 1";
    let of = sql.query_row(named, [name, digest.as_str()], |row| digest_at(row, 0)).optional()?;
    if let Some(image) = of {
        return Err(Error::BlobInUse { digest: digest.clone(), image });
    }
    sql.execute("DELETE FROM links WHERE repository = ?1 AND digest = ?2", [name, digest.as_str()])?;
    Ok(())
}

pub(super) fn start_upload(sql: &Connection, name: &str, id: &str, now: i64) -> Result<()> {
    repository(sql, name)?;
    sql.execute("INSERT INTO uploads VALUES(?1, ?2, ?3)", params![id, name, now])?;
    Ok(())
}

pub(super) fn upload(sql: &Connection, name: &str, id: &str) -> Result<()> {
    repository(sql, name)?;
    let mut find = sql.prepare_cached("SELECT 1 FROM uploads WHERE id = ?1 AND repository = ?2")?;
    if find.exists([id, name])? {
        Ok(())
    } else {
        Err(Error::NoSuchUpload { repository: name.to_owned(), id: id.to_owned() })
    }
}

pub(super) fn has_upload(sql: &Connection, id: &str) -> Result<bool> {
    Ok(sql.prepare_cached("SELECT 1 FROM uploads WHERE id = ?1")?.exists([id])?)
}

pub(super) fn end_upload(sql: &Connection, name: &str, id: &str) -> Result<()> {
    upload(sql, name, id)?;
    sql.execute("DELETE FROM uploads WHERE id = ?1", [id])?;
    Ok(())
}

/// Returns whether a tag now refers to another image than before.
pub(super) fn put_image(
    sql: &Connection,
    name: &str,
    reference: &Reference,
    parsed: &Parsed,
    now: i64,
) -> Result<bool> {
    let spec = repository(sql, name)?;
    let old = match reference {
        Reference::Tag(tag) => tag_digest(sql, name, tag)?,
        Reference::Digest(_) => None,
    };
    // Pushing the same image again under its tag is allowed, so that a client can retry.
    if let (true, Some(old), Reference::Tag(tag)) = (spec.immutable_tags, &old, reference)
        && *old != parsed.digest
    {
        return Err(Error::ImmutableTag { repository: name.to_owned(), tag: tag.clone() });
    }
    for child in &parsed.blobs {
        blob_size(sql, name, child).map_err(|e| match e {
            Error::NoSuchBlob { digest, .. } => Error::ManifestNames(digest),
            e => e,
        })?;
    }
    for child in &parsed.manifests {
        if !has_image(sql, name, child)? {
            return Err(Error::ManifestNames(child.clone()));
        }
    }
    let digest = parsed.digest.as_str();
    add_file(sql, &parsed.digest, parsed.descriptor.size)?;
    let descriptor =
        serde_json::to_string(&parsed.descriptor).plane(|| format!("write the row of {digest}"))?;
    sql.execute(
        "INSERT INTO images VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET media_type = excluded.media_type,
           descriptor = excluded.descriptor",
        params![
            name,
            digest,
            parsed.descriptor.media_type,
            parsed.size_bytes,
            now,
            parsed.subject.as_ref().map(Digest::as_str),
            descriptor
        ],
    )?;
    for child in parsed.blobs.iter().chain(&parsed.manifests) {
        let insert = "INSERT INTO named VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING";
        sql.execute(insert, [name, digest, child.as_str()])?;
    }
    let Reference::Tag(tag) = reference else { return Ok(false) };
    let insert = "INSERT INTO tags VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET digest = excluded.digest";
    sql.execute(insert, [name, tag, digest])?;
    Ok(old.as_ref() != Some(&parsed.digest))
}

fn tag_digest(sql: &Connection, name: &str, tag: &str) -> Result<Option<Digest>> {
    let mut find = sql.prepare_cached("SELECT digest FROM tags WHERE repository = ?1 AND tag = ?2")?;
    Ok(find.query_row([name, tag], |row| digest_at(row, 0)).optional()?)
}

fn has_image(sql: &Connection, name: &str, digest: &Digest) -> Result<bool> {
    let mut find = sql.prepare_cached("SELECT 1 FROM images WHERE repository = ?1 AND digest = ?2")?;
    Ok(find.exists([name, digest.as_str()])?)
}

/// The digest and media type of an image.
pub(super) fn resolve(sql: &Connection, name: &str, reference: &Reference) -> Result<(Digest, String)> {
    repository(sql, name)?;
    let missing = || Error::NoSuchImage { repository: name.to_owned(), reference: reference.clone() };
    let digest = match reference {
        Reference::Tag(tag) => tag_digest(sql, name, tag)?.ok_or_else(missing)?,
        Reference::Digest(digest) => digest.clone(),
    };
    let find = "SELECT media_type FROM images WHERE repository = ?1 AND digest = ?2";
    let found = sql.query_row(find, [name, digest.as_str()], |row| row.get(0)).optional()?;
    Ok((digest, found.ok_or_else(missing)?))
}

pub(super) fn delete_image(sql: &Connection, name: &str, reference: &Reference) -> Result<()> {
    let (digest, _) = resolve(sql, name, reference)?;
    match reference {
        Reference::Tag(tag) => {
            sql.execute("DELETE FROM tags WHERE repository = ?1 AND tag = ?2", [name, tag])?
        }
        Reference::Digest(_) => {
            sql.execute("DELETE FROM images WHERE repository = ?1 AND digest = ?2", [name, digest.as_str()])?
        }
    };
    Ok(())
}

pub(super) fn tags(sql: &Connection, name: &str, after: &str, limit: usize) -> Result<(Vec<String>, bool)> {
    repository(sql, name)?;
    let find = "SELECT tag FROM tags WHERE repository = ?1 AND tag > ?2 ORDER BY tag LIMIT ?3";
    let mut find = sql.prepare_cached(find)?;
    // One more than the page shows whether there is a next one.
    let rows = find.query_map(params![name, after, limit as i64 + 1], |row| row.get(0))?;
    let mut tags: Vec<String> = rows.collect::<rusqlite::Result<_>>()?;
    let more = tags.len() > limit;
    tags.truncate(limit);
    Ok((tags, more))
}

fn descriptor_at(row: &Row<'_>, place: usize) -> rusqlite::Result<Descriptor> {
    serde_json::from_str(row.get_ref(place)?.as_str()?)
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(place, Type::Text, Box::new(e)))
}

pub(super) fn referrers(sql: &Connection, name: &str, subject: &Digest) -> Result<Vec<Descriptor>> {
    repository(sql, name)?;
    let find = "SELECT descriptor FROM images WHERE repository = ?1 AND subject = ?2 ORDER BY digest";
    let mut find = sql.prepare_cached(find)?;
    let rows = find.query_map([name, subject.as_str()], |row| descriptor_at(row, 0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn images(sql: &Connection, name: &str) -> Result<Vec<Image>> {
    repository(sql, name)?;
    let mut tags =
        sql.prepare_cached("SELECT tag FROM tags WHERE repository = ?1 AND digest = ?2 ORDER BY tag")?;
    let mut find = sql.prepare_cached(
        "SELECT digest, descriptor, size, pushed, subject FROM images WHERE repository = ?1 ORDER BY digest",
    )?;
    let rows = find.query_map([name], |row| {
        let descriptor = descriptor_at(row, 1)?;
        let subject: Option<String> = row.get(4)?;
        Ok(Image {
            digest: digest_at(row, 0)?,
            tags: Vec::new(),
            media_type: descriptor.media_type,
            artifact_type: descriptor.artifact_type,
            size_bytes: row.get(2)?,
            pushed: Timestamp(row.get(3)?),
            subject: subject.and_then(|text| text.parse().ok()),
        })
    })?;
    let mut images: Vec<Image> = rows.collect::<rusqlite::Result<_>>()?;
    for image in &mut images {
        let rows = tags.query_map([name, image.digest.as_str()], |row| row.get(0))?;
        image.tags = rows.collect::<rusqlite::Result<_>>()?;
    }
    Ok(images)
}

pub(super) fn drop_uploads(sql: &Connection, is_lost: impl Fn(&str) -> bool) -> Result<()> {
    let mut find = sql.prepare("SELECT id FROM uploads")?;
    let all: Vec<String> = find.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for id in all.iter().filter(|id| is_lost(id)) {
        sql.execute("DELETE FROM uploads WHERE id = ?1", [id])?;
    }
    Ok(())
}

/// Removes from repositories the blobs added before `before` that none of their images refers to, and the
/// uploads started before it; returns those uploads.
pub(super) fn drop_unnamed(sql: &Connection, before: i64) -> Result<Vec<String>> {
    sql.execute(
        "DELETE FROM links WHERE since < ?1 AND NOT EXISTS(
           SELECT 1 FROM named WHERE named.repository = links.repository AND named.child = links.digest)",
        [before],
    )?;
    let mut old = sql.prepare("DELETE FROM uploads WHERE started < ?1 RETURNING id")?;
    Ok(old.query_map([before], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

/// The size of a file, whoever stored it.
pub(super) fn file_size(sql: &Connection, digest: &Digest) -> Result<Option<u64>> {
    let mut find = sql.prepare_cached("SELECT size FROM files WHERE digest = ?1")?;
    Ok(find.query_row([digest.as_str()], |row| row.get(0)).optional()?)
}

/// Adds a file to the cache, or marks it as used.
pub(super) fn mark_cached(sql: &Connection, digest: &Digest, now: i64) -> Result<()> {
    let insert = "INSERT INTO cached VALUES(?1, ?2) ON CONFLICT DO UPDATE SET used = excluded.used";
    sql.execute(insert, params![digest.as_str(), now])?;
    Ok(())
}

pub(super) fn admit(sql: &Connection, source: &str, digest: &Digest) -> Result<()> {
    let insert = "INSERT INTO admitted VALUES(?1, ?2) ON CONFLICT DO NOTHING";
    sql.execute(insert, [source, digest.as_str()])?;
    Ok(())
}

pub(super) fn is_admitted(sql: &Connection, source: &str, digest: &Digest) -> Result<bool> {
    let mut find = sql.prepare_cached("SELECT 1 FROM admitted WHERE source = ?1 AND digest = ?2")?;
    Ok(find.exists([source, digest.as_str()])?)
}

/// Removes from the cache what exceeds its bound, the least recently used first, unless it was used since `before`.
pub(super) fn drop_cached(sql: &Connection, cache_bytes: u64, before: i64) -> Result<()> {
    let bound = i64::try_from(cache_bytes).unwrap_or(i64::MAX);
    sql.execute(
        "DELETE FROM cached WHERE used < ?2 AND digest IN (
           SELECT digest FROM (
             SELECT digest, SUM(size) OVER (ORDER BY used DESC, digest) AS total FROM cached JOIN files USING(digest))
           WHERE total > ?1)",
        params![bound, before],
    )?;
    Ok(())
}

/// Deletes the rows of files that neither a repository nor the cache has, except those in `keep`, up to `most`; returns them.
pub(super) fn unlinked(sql: &Connection, keep: &HashSet<Digest>, most: usize) -> Result<Vec<(Digest, u64)>> {
    let mut find = sql.prepare(
        "SELECT digest, size FROM files WHERE NOT EXISTS(SELECT 1 FROM links WHERE links.digest = files.digest)
           AND NOT EXISTS(SELECT 1 FROM images WHERE images.digest = files.digest)
           AND NOT EXISTS(SELECT 1 FROM cached WHERE cached.digest = files.digest)",
    )?;
    let rows = find.query_map([], |row| Ok((digest_at(row, 0)?, row.get(1)?)))?;
    // Filtered here, not in SQL: the digests in use come from the running containers and are in no table.
    let unkept = rows.filter(|row| row.as_ref().map_or(true, |(digest, _)| !keep.contains(digest)));
    let gone: Vec<(Digest, u64)> = unkept.take(most).collect::<rusqlite::Result<_>>()?;
    for (digest, _) in &gone {
        sql.execute("DELETE FROM files WHERE digest = ?1", [digest.as_str()])?;
    }
    Ok(gone)
}

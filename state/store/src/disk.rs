//! The SQLite file: one table per row type, with `key`, `version`, `body` (JSON). It can be opened with `sqlite3`.

use crate::{StoreError, image::Image, row::TableDef, tx::Written};
use escale_files::disk;
use rusqlite::{Connection, params};
use std::path::{Path, PathBuf};

/// Memory that SQLite may use in this process. Reads are served from the image, not from here.
const SQLITE_BYTES: i64 = 4 << 20;

pub(crate) struct Disk {
    path: PathBuf,
    connection: Connection,
}

impl Disk {
    pub(crate) fn open(path: &Path, tables: &[TableDef]) -> Result<Disk, StoreError> {
        let fail = |source| sqlite(path, source);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|source| StoreError::Io { path: folder.to_owned(), source })?;
        }
        // Before SQLite creates the file, which would be readable by others until its mode is changed.
        private(path).map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
        let connection = Connection::open(path).map_err(fail)?;
        // WAL with NORMAL survives a crash of the process at any point. Only a power failure can lose the last commits, and
        // the file stays consistent even then. FULL would cost one fsync for each write of a deployment.
        connection.pragma_update(None, "journal_mode", "WAL").map_err(fail)?;
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(fail)?;
        // The limit applies to all connections of the process, also those of the planes; each would use 2 MiB otherwise. SQLite
        // then drops the least recently used pages and reads them again from the kernel's cache.
        connection.pragma_update(None, "soft_heap_limit", SQLITE_BYTES).map_err(fail)?;
        for table in tables {
            let sql = format!(
                "CREATE TABLE IF NOT EXISTS \"{}\" (key TEXT PRIMARY KEY, version INTEGER NOT NULL, body TEXT NOT NULL) \
                 WITHOUT ROWID",
                table.name
            );
            connection.execute(&sql, []).map_err(fail)?;
        }
        Ok(Disk { path: path.to_owned(), connection })
    }

    pub(crate) fn load(&self, tables: &[TableDef]) -> Result<Image, StoreError> {
        self.refuse_unknown(tables)?;
        let mut image = Image::default();
        for table in tables {
            let sql = format!("SELECT key, version, body FROM \"{}\"", table.name);
            let mut query = self.connection.prepare(&sql).map_err(|e| self.fail(e))?;
            let rows = query
                .query_map([], |r| Ok((r.get::<_, String>(0)?, r.get::<_, u32>(1)?, r.get::<_, String>(2)?)))
                .map_err(|e| self.fail(e))?;
            let cells = image.tables.entry(table.name).or_default();
            for row in rows {
                let (key, version, body) = row.map_err(|e| self.fail(e))?;
                let cell = (table.decode)(version, &body).map_err(|why| StoreError::Row {
                    table: table.name.to_owned(),
                    key: key.clone(),
                    why,
                })?;
                cells.insert(key, cell);
            }
        }
        Ok(image)
    }

    /// Refuses a file with unknown tables: rows of a newer version would be invisible and then lost.
    fn refuse_unknown(&self, tables: &[TableDef]) -> Result<(), StoreError> {
        let mut query = self
            .connection
            .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
            .map_err(|e| self.fail(e))?;
        let names = query.query_map([], |r| r.get::<_, String>(0)).map_err(|e| self.fail(e))?;
        for name in names {
            let table = name.map_err(|e| self.fail(e))?;
            if !tables.iter().any(|t| t.name == table) {
                return Err(StoreError::UnknownTable { table });
            }
        }
        Ok(())
    }

    pub(crate) fn commit(&mut self, written: &[Written]) -> Result<(), StoreError> {
        self.write(written).map_err(|source| self.fail(source))
    }

    fn write(&mut self, written: &[Written]) -> Result<(), rusqlite::Error> {
        // Dropped without a commit at the first error, which rolls everything back.
        let tx = self.connection.transaction()?;
        for Written { change, body } in written {
            match body {
                Some((version, json)) => tx
                    .prepare_cached(&format!(
                        "INSERT OR REPLACE INTO \"{}\" VALUES (?1, ?2, ?3)",
                        change.table
                    ))?
                    .execute(params![change.key, version, json])?,
                None => tx
                    .prepare_cached(&format!("DELETE FROM \"{}\" WHERE key = ?1", change.table))?
                    .execute(params![change.key])?,
            };
        }
        tx.commit()
    }

    /// Limits the file to `most` pages, or to its current size when that is larger.
    #[cfg(test)]
    pub(crate) fn set_page_limit(&self, most: u32) {
        self.connection.query_row(&format!("PRAGMA max_page_count = {most}"), [], |_| Ok(())).unwrap();
    }

    fn fail(&self, source: rusqlite::Error) -> StoreError {
        sqlite(&self.path, source)
    }
}

fn sqlite(path: &Path, source: rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    if disk::is_full(&source) {
        StoreError::Full { why: disk::full(&path), path }
    } else {
        StoreError::Sqlite { path, source }
    }
}

/// Creates the file with access for its owner only, since it contains secrets. SQLite gives its other files the same mode.
fn private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    // `mode` applies to a new file only, and less the umask.
    file.set_permissions(std::fs::Permissions::from_mode(0o600))
}

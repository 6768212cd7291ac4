//! A cache of the blobs of pulled images by digest, so that a blob is pulled only once.

use crate::layout::{LayoutError, at, blob_path, digest_of};
use escale_base::Clock;
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// The size of the cache after a trim: larger than the base images of a few applications, small compared to the disk of a
/// machine that runs them.
const KEPT_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// A folder of blobs. A file gets its final name only when it is complete and on disk.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Opens a folder and creates it if it does not exist.
    pub fn open(folder: &Path) -> Result<Cache, LayoutError> {
        let blobs = folder.join("blobs/sha256");
        fs::create_dir_all(&blobs).map_err(|e| at(&blobs, e))?;
        Ok(Cache { folder: folder.to_owned() })
    }

    /// Removes the least recently used blobs until the rest is within the limit. Must not be called during a build, which may
    /// need more than the limit.
    pub fn trim(&self) -> Result<(), LayoutError> {
        self.trim_to(KEPT_BYTES)
    }

    fn trim_to(&self, kept_bytes: u64) -> Result<(), LayoutError> {
        let blobs = self.folder.join("blobs/sha256");
        let list = || -> std::io::Result<Vec<(SystemTime, u64, PathBuf)>> {
            let mut all = Vec::new();
            for entry in fs::read_dir(&blobs)? {
                let entry = entry?;
                let metadata = entry.metadata()?;
                all.push((metadata.modified()?, metadata.len(), entry.path()));
            }
            Ok(all)
        };
        let mut all = list().map_err(|e| at(&blobs, e))?;
        all.sort_by(|a, b| b.cmp(a));
        let mut bytes = 0;
        for (_, size_bytes, path) in all {
            bytes += size_bytes;
            if bytes > kept_bytes {
                fs::remove_file(&path).map_err(|e| at(&path, e))?;
            }
        }
        Ok(())
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether a blob exists with all its bytes. Marks it as used now.
    pub(crate) fn has(&self, digest: &str, size_bytes: u64) -> Result<bool, LayoutError> {
        let path = blob_path(&self.folder, digest)?;
        let Ok(file) = fs::File::open(&path) else { return Ok(false) };
        // A disk may have lost data that it reported as written.
        if file.metadata().map_err(|e| at(&path, e))?.len() != size_bytes {
            return Ok(false);
        }
        let now = u64::try_from(Clock::machine().now().0).unwrap_or_default();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_millis(now)).map_err(|e| at(&path, e))?;
        Ok(true)
    }

    /// A file for an incomplete blob. After a crash it is removed like a blob that is no longer used.
    pub(crate) fn temporary(&self) -> Result<tempfile::NamedTempFile, LayoutError> {
        let blobs = self.folder.join("blobs/sha256");
        tempfile::NamedTempFile::new_in(&blobs).map_err(|e| at(&blobs, e))
    }

    /// Adds a file whose bytes have the digest and are on disk. A name before the bytes could be all that a power failure leaves.
    pub(crate) fn keep(&self, file: tempfile::NamedTempFile, digest: &str) -> Result<(), LayoutError> {
        let path = blob_path(&self.folder, digest)?;
        file.persist(&path).map(drop).map_err(|e| at(&path, e.error))
    }

    /// Adds bytes from memory; returns their digest.
    pub(crate) fn put(&self, bytes: &[u8]) -> Result<String, LayoutError> {
        let digest = digest_of(bytes);
        if !self.has(&digest, bytes.len() as u64)? {
            let file = self.temporary()?;
            let written = fs::write(file.path(), bytes).and_then(|()| file.as_file().sync_all());
            written.map_err(|e| at(file.path(), e))?;
            self.keep(file, &digest)?;
        }
        Ok(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncated_blob_is_missing_and_can_be_added_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let digest = cache.put(b"bytes").unwrap();
        let path = blob_path(folder.path(), &digest).unwrap();
        fs::write(&path, b"").unwrap();
        assert!(!cache.has(&digest, 5).unwrap());
        cache.put(b"bytes").unwrap();
        assert!(cache.has(&digest, 5).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"bytes");
    }

    #[test]
    fn trim_removes_least_recently_used_blobs() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let digests: Vec<String> =
            ["aaaa", "bbbb", "cccc"].map(|text| cache.put(text.as_bytes()).unwrap()).into();
        // as if one had been used each hour, the last one longest ago
        for (age, digest) in digests.iter().enumerate() {
            let file = fs::File::open(blob_path(folder.path(), digest).unwrap()).unwrap();
            let modified = file.metadata().unwrap().modified().unwrap();
            file.set_modified(modified - Duration::from_secs(3600 * (age as u64 + 1))).unwrap();
        }
        cache.trim_to(8).unwrap();
        let there =
            || digests.iter().map(|d| blob_path(folder.path(), d).unwrap().exists()).collect::<Vec<_>>();
        assert_eq!(there(), [true, true, false]);
        assert!(cache.has(&digests[1], 4).unwrap());
        cache.trim_to(4).unwrap();
        assert_eq!(there(), [false, true, false], "the requested blobs count as used");
    }
}

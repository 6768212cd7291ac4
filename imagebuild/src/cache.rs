//! Blobs of images that were pulled, by their digests, so that what is there is not pulled again.

use crate::layout::{LayoutError, at, blob_path, digest_of};
use escale_base::Clock;
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// What is kept for the next build. Larger than the bases of a few applications, small beside the disk of a machine that
/// runs them.
const KEPT_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// A folder of blobs. A file that stands under its name was whole, and on the disk, when it got the name.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Opens a folder, which is made when it is not there.
    pub fn open(folder: &Path) -> Result<Cache, LayoutError> {
        let blobs = folder.join("blobs/sha256");
        fs::create_dir_all(&blobs).map_err(|e| at(&blobs, e))?;
        Ok(Cache { folder: folder.to_owned() })
    }

    /// Forgets what was used longest ago, until what is left is within the bound. Not while something is built: what was
    /// just pulled may be more than that.
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

    /// Whether a blob is there, with all its bytes. It counts as used now.
    pub(crate) fn has(&self, digest: &str, size_bytes: u64) -> Result<bool, LayoutError> {
        let path = blob_path(&self.folder, digest)?;
        let Ok(file) = fs::File::open(&path) else { return Ok(false) };
        // A disk may have lost what it said it had.
        if file.metadata().map_err(|e| at(&path, e))?.len() != size_bytes {
            return Ok(false);
        }
        let now = u64::try_from(Clock::machine().now().0).unwrap_or_default();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_millis(now)).map_err(|e| at(&path, e))?;
        Ok(true)
    }

    /// A file for a blob that is not whole yet. What a crash leaves of it is forgotten like a blob.
    pub(crate) fn temporary(&self) -> Result<tempfile::NamedTempFile, LayoutError> {
        let blobs = self.folder.join("blobs/sha256");
        tempfile::NamedTempFile::new_in(&blobs).map_err(|e| at(&blobs, e))
    }

    /// Takes a file whose bytes were seen to have the digest, and are on the disk: a power cut could leave the name alone.
    pub(crate) fn keep(&self, file: tempfile::NamedTempFile, digest: &str) -> Result<(), LayoutError> {
        let path = blob_path(&self.folder, digest)?;
        file.persist(&path).map(drop).map_err(|e| at(&path, e.error))
    }

    /// Keeps bytes that are in memory; gives their digest.
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
    fn what_lacks_bytes_is_not_there_and_comes_again() {
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
    fn forgets_what_was_used_longest_ago() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let digests: Vec<String> =
            ["aaaa", "bbbb", "cccc"].map(|text| cache.put(text.as_bytes()).unwrap()).into();
        // as if they had been used one an hour, the last one longest ago
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
        assert_eq!(there(), [false, true, false], "what was asked for was used");
    }
}

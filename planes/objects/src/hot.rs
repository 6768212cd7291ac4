//! Small objects that were read last, in memory: reading one of them again asks neither another thread nor the index.
//!
//! An entry holds as long as nothing is committed: it has the number of commits that the index had counted before it was read.
//! Static files are read often and written seldom, which is when this helps.

use crate::Object;
use bytes::Bytes;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Bytes of all entries together, with an estimate for everything but the objects' bytes.
const MOST_BYTES: usize = 8 << 20;
const ENTRY_BYTES: usize = 1 << 10;

pub(crate) struct Small {
    pub(crate) object: Object,
    pub(crate) bytes: Bytes,
}

#[derive(Default)]
pub(crate) struct Hot(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    /// By bucket, then by key: a lookup needs no owned name.
    of: HashMap<String, HashMap<String, Arc<Small>>>,
    bytes: usize,
    /// The number of commits that all entries were read at.
    commits: u64,
}

impl Hot {
    /// The newest version of the object, if it was read since the last of so many commits.
    pub(crate) fn get(&self, bucket: &str, key: &str, commits: u64) -> Option<Arc<Small>> {
        let entries = self.lock();
        if entries.commits != commits {
            return None;
        }
        entries.of.get(bucket)?.get(key).cloned()
    }

    /// Keeps what was read after `commits` had been counted.
    pub(crate) fn keep(&self, (bucket, key): (String, String), commits: u64, small: Small) {
        let mut entries = self.lock();
        let added = small.bytes.len() + ENTRY_BYTES;
        if entries.commits > commits {
            return;
        }
        // All at once: which entry was used last is not worth the bookkeeping.
        if entries.commits < commits || entries.bytes + added > MOST_BYTES {
            *entries = Entries { commits, ..Entries::default() };
        }
        entries.bytes += added;
        entries.of.entry(bucket).or_default().insert(key, Arc::new(small));
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Entry, Meta};
    use escale_base::Timestamp;

    fn small(bytes: usize) -> Small {
        let entry = Entry {
            key: "k".into(),
            version: crate::VersionId("null".into()),
            is_latest: true,
            is_delete_marker: false,
            size_bytes: bytes as u64,
            etag: String::new(),
            modified: Timestamp(0),
            checksums: Default::default(),
        };
        let object = Object { entry, meta: Meta::default(), tags: Default::default(), parts: None };
        Small { object, bytes: vec![0; bytes].into() }
    }

    fn at(key: &str) -> (String, String) {
        ("b".into(), key.into())
    }

    #[test]
    fn an_entry_ends_with_the_next_commit() {
        let hot = Hot::default();
        hot.keep(at("k"), 1, small(1));
        assert!(hot.get("b", "k", 1).is_some());
        assert!(hot.get("b", "k", 2).is_none());
        hot.keep(at("other"), 2, small(1));
        assert!(hot.get("b", "k", 2).is_none(), "older entries went");
        hot.keep(at("late"), 1, small(1));
        assert!(hot.get("b", "late", 2).is_none(), "read before the commit");
    }

    #[test]
    fn memory_is_bounded() {
        let hot = Hot::default();
        for key in 0..10_000 {
            hot.keep(at(&key.to_string()), 0, small(4096));
            assert!(hot.lock().bytes <= MOST_BYTES);
        }
        assert!(hot.get("b", "9999", 0).is_some() && hot.get("b", "0", 0).is_none());
    }
}

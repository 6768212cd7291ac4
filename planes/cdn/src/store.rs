//! Storage of complete answers: sharded, least recently used first out; from memory to disk, from disk to nowhere.

use crate::{
    blob::{Blob, Directory},
    freshness::{age_on_arrival, may_serve_stale, may_serve_while_revalidating},
    key::Key,
};
use escale_base::Timestamp;
use http::HeaderMap;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{BuildHasher, RandomState},
    ops::Bound,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicU64, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
};

/// Enough that two cores rarely need the same shard.
const SHARDS: usize = 16;

/// One answer.
pub(crate) struct Entry {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) blob: Arc<Blob>,
    came: Timestamp,
    age_then_s: u64,
    lifetime_s: u64,
}

impl Entry {
    pub(crate) fn new(
        status: u16,
        headers: HeaderMap,
        blob: Arc<Blob>,
        came: Timestamp,
        lifetime_s: u64,
    ) -> Arc<Entry> {
        let age_then_s = age_on_arrival(&headers);
        Arc::new(Entry { status, headers, blob, came, age_then_s, lifetime_s })
    }

    pub(crate) fn age_s(&self, now: Timestamp) -> u64 {
        self.age_then_s + u64::try_from(now.since_ms(self.came) / 1000).unwrap_or(0)
    }

    /// Exact to the millisecond, so that a lifetime of one second is that long.
    pub(crate) fn is_fresh(&self, now: Timestamp) -> bool {
        let age_ms = u64::try_from(now.since_ms(self.came)).unwrap_or(0) + self.age_then_s * 1000;
        age_ms < self.lifetime_s.saturating_mul(1000)
    }

    pub(crate) fn may_stand_in(&self, now: Timestamp) -> bool {
        self.status < 400 && may_serve_stale(&self.headers, self.age_s(now).saturating_sub(self.lifetime_s))
    }

    pub(crate) fn may_be_sent_while_revalidated(&self, now: Timestamp) -> bool {
        let stale_s = self.age_s(now).saturating_sub(self.lifetime_s);
        self.status < 400 && may_serve_while_revalidating(&self.headers, stale_s)
    }

    fn size(&self) -> u64 {
        let headers: usize = self.headers.iter().map(|(n, v)| n.as_str().len() + v.len() + 64).sum();
        self.blob.len() + headers as u64 + 256
    }
}

pub(crate) struct Store {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    tick: AtomicU64,
    next_victim: AtomicUsize,
    memory: Tier,
    disk: Tier,
    pub(crate) directory: Arc<Directory>,
}

struct Tier {
    used: AtomicU64,
    budget: u64,
}

impl Tier {
    fn is_over(&self) -> bool {
        self.used.load(SeqCst) > self.budget
    }
}

#[derive(Default)]
struct Shard {
    slots: HashMap<Key, Slot>,
    /// By last use; one order per tier.
    memory: BTreeMap<u64, Key>,
    disk: BTreeMap<u64, Key>,
    /// (distribution, path) to keys, for invalidations.
    paths: BTreeMap<(Arc<str>, Arc<str>), Vec<Key>>,
}

struct Slot {
    entry: Arc<Entry>,
    tick: u64,
    size: u64,
    in_memory: bool,
}

impl Store {
    pub(crate) fn new(directory: Directory, memory_bytes: u64, disk_bytes: u64) -> Store {
        let tier = |budget| Tier { used: AtomicU64::new(0), budget };
        Store {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            tick: AtomicU64::new(0),
            next_victim: AtomicUsize::new(0),
            memory: tier(memory_bytes),
            disk: tier(disk_bytes),
            directory: Arc::new(directory),
        }
    }

    /// A single answer may take at most a quarter of the disk budget.
    pub(crate) fn largest(&self) -> u64 {
        self.disk.budget / 4
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        let tick = self.tick.fetch_add(1, Relaxed);
        let mut guard = self.shard(key);
        let shard = &mut *guard;
        let slot = shard.slots.get_mut(key)?;
        let order = if slot.in_memory { &mut shard.memory } else { &mut shard.disk };
        if let Some(key) = order.remove(&slot.tick) {
            order.insert(tick, key);
            slot.tick = tick;
        }
        Some(slot.entry.clone())
    }

    /// Stores a complete answer, replacing an older one. Call [`Store::settle`] afterwards.
    pub(crate) fn insert(&self, key: &Key, entry: Arc<Entry>) {
        let tick = self.tick.fetch_add(1, Relaxed);
        let (size, in_memory) = (entry.size(), entry.blob.is_in_memory());
        let mut shard = self.shard(key);
        self.drop_slot(&mut shard, key);
        let order = if in_memory { &mut shard.memory } else { &mut shard.disk };
        order.insert(tick, key.clone());
        self.tier(in_memory).used.fetch_add(size, SeqCst);
        shard.paths.entry((key.distribution.clone(), key.path.clone())).or_default().push(key.clone());
        shard.slots.insert(key.clone(), Slot { entry, tick, size, in_memory });
    }

    /// Reduces both tiers to their budgets.
    pub(crate) async fn settle(&self) {
        while self.memory.is_over() {
            let Some((key, entry)) = self.demote() else { break };
            if let Err(error) = entry.blob.to_disk(&self.directory).await {
                tracing::warn!(%error, "an answer could not be moved to disk and is dropped");
                let mut shard = self.shard(&key);
                self.drop_slot(&mut shard, &key);
            }
        }
        while self.disk.is_over() {
            let victim = self.each_shard(|shard| {
                let key = shard.disk.first_key_value()?.1.clone();
                self.drop_slot(shard, &key);
                Some(())
            });
            if victim.is_none() {
                break;
            }
        }
    }

    /// Assigns the least recently used entry of some shard to the disk tier.
    fn demote(&self) -> Option<(Key, Arc<Entry>)> {
        self.each_shard(|shard| {
            let (tick, key) = shard.memory.pop_first()?;
            shard.disk.insert(tick, key.clone());
            let slot = shard.slots.get_mut(&key)?;
            slot.in_memory = false;
            self.memory.used.fetch_sub(slot.size, SeqCst);
            self.disk.used.fetch_add(slot.size, SeqCst);
            Some((key, slot.entry.clone()))
        })
    }

    /// Drops the entries that match `pattern` (exact, or up to a final `*`); O(shards + dropped entries).
    pub(crate) fn invalidate(&self, distribution: &Arc<str>, pattern: &str) -> usize {
        let (prefix, exact) = match pattern.strip_suffix('*') {
            Some(prefix) => (prefix, false),
            None => (pattern, true),
        };
        let mut dropped = 0;
        for shard in &self.shards {
            let mut shard = lock(shard);
            let from: (Arc<str>, Arc<str>) = (distribution.clone(), prefix.into());
            let keys: BTreeSet<(Arc<str>, Arc<str>)> = shard
                .paths
                .range((Bound::Included(from), Bound::Unbounded))
                .take_while(|((d, path), _)| d == distribution && path.starts_with(prefix))
                .filter(|((_, path), _)| !exact || **path == *prefix)
                .map(|(at, _)| at.clone())
                .collect();
            for at in keys {
                for key in shard.paths.get(&at).cloned().unwrap_or_default() {
                    self.drop_slot(&mut shard, &key);
                    dropped += 1;
                }
            }
        }
        dropped
    }

    #[cfg(test)]
    fn used(&self) -> (u64, u64) {
        (self.memory.used.load(SeqCst), self.disk.used.load(SeqCst))
    }

    fn drop_slot(&self, shard: &mut Shard, key: &Key) {
        let Some(slot) = shard.slots.remove(key) else { return };
        if slot.in_memory {
            shard.memory.remove(&slot.tick)
        } else {
            shard.disk.remove(&slot.tick)
        };
        self.tier(slot.in_memory).used.fetch_sub(slot.size, SeqCst);
        let at = (key.distribution.clone(), key.path.clone());
        if let Some(keys) = shard.paths.get_mut(&at) {
            keys.retain(|k| k != key);
            if keys.is_empty() {
                shard.paths.remove(&at);
            }
        }
    }

    fn each_shard<T>(&self, mut work: impl FnMut(&mut Shard) -> Option<T>) -> Option<T> {
        let first = self.next_victim.fetch_add(1, Relaxed);
        (0..SHARDS).find_map(|i| work(&mut lock(&self.shards[(first + i) % SHARDS])))
    }

    fn tier(&self, in_memory: bool) -> &Tier {
        if in_memory { &self.memory } else { &self.disk }
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, Shard> {
        lock(&self.shards[self.hasher.hash_one(key) as usize % SHARDS])
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        key::Viewer,
        spec::{Pick, Selection},
    };
    use bytes::Bytes;

    fn key(path: &str) -> Key {
        let none = Selection { headers: Pick::None, cookies: Pick::None, query: Pick::All };
        let (path, query) = path.split_once('?').map_or((path, None), |(p, q)| (p, Some(q)));
        Key::of(
            &"d".into(),
            "GET",
            &none,
            &Viewer {
                path: escale_base::path::RawPath::new(path),
                query,
                headers: &HeaderMap::new(),
                accepted: crate::compress::Accepted::default(),
            },
        )
    }

    async fn put(store: &Store, path: &str, bytes: usize) {
        let blob = Blob::new();
        blob.write(Bytes::from(vec![0; bytes]), &store.directory).await.unwrap();
        blob.finish(true);
        store.insert(&key(path), Entry::new(200, HeaderMap::new(), blob, Timestamp(0), 60));
        store.settle().await;
    }

    #[tokio::test]
    async fn memory_overflows_to_disk_and_disk_away() {
        let temp = tempfile::tempdir().unwrap();
        let store = Store::new(Directory::open(temp.path()).unwrap(), 50_000, 100_000);
        for i in 0..40 {
            put(&store, &format!("/{i}"), 10_000).await;
        }
        let (memory, disk) = store.used();
        assert!(memory <= 50_000 && disk <= 100_000, "{memory} {disk}");
        let files = std::fs::read_dir(temp.path()).unwrap().count();
        assert_eq!(files as u64, disk / 10_256);
        assert_eq!(store.invalidate(&"d".into(), "/*") as u64, (memory + disk) / 10_256);
        assert_eq!(store.used(), (0, 0));
        assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn invalidation_drops_matching_paths_only() {
        let temp = tempfile::tempdir().unwrap();
        let store = Store::new(Directory::open(temp.path()).unwrap(), 50_000, 100_000);
        for path in ["/a", "/a?x=1", "/a/b", "/ab", "/c", "/d/e", "/%64/e", "//d/e"] {
            put(&store, path, 1).await;
        }
        assert_eq!(store.invalidate(&"d".into(), "/d/e"), 3, "every spelling");
        assert_eq!(store.invalidate(&"other".into(), "/*"), 0);
        assert_eq!(store.invalidate(&"d".into(), "/a"), 1);
        assert_eq!(store.invalidate(&"d".into(), "/a?*"), 1);
        assert_eq!(store.invalidate(&"d".into(), "/a*"), 2);
        assert!(store.get(&key("/c")).is_some());
    }
}

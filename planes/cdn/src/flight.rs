//! Answers that are being fetched: one fetch per key; other requests for the same key wait for its head and
//! then read the body as it arrives.

use crate::{
    key::Key,
    store::{Entry, Store},
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};
use tokio::sync::watch;

#[derive(Default)]
pub(crate) struct Flights(Mutex<HashMap<Key, Arc<Flight>>>);

struct Flight {
    state: watch::Sender<State>,
    /// Set by an invalidation after the fetch began.
    stale: AtomicBool,
}

#[derive(Clone)]
pub(crate) enum State {
    Waiting,
    /// The head has arrived; the body follows.
    Ready(Arc<Entry>),
    /// The answer must not be shared; every request fetches its own.
    Alone,
    /// The leader gave up; another request becomes the leader.
    Left,
}

pub(crate) enum Role {
    Leader(Leader),
    Follower(watch::Receiver<State>),
}

/// The request that fetches. If it is dropped without a result, another one takes its place.
pub(crate) struct Leader {
    flights: Arc<Flights>,
    key: Key,
    flight: Arc<Flight>,
}

impl Flights {
    pub(crate) fn join(self: &Arc<Flights>, key: &Key) -> Role {
        let mut all = self.lock();
        if let Some(flight) = all.get(key) {
            return Role::Follower(flight.state.subscribe());
        }
        let flight =
            Arc::new(Flight { state: watch::Sender::new(State::Waiting), stale: AtomicBool::new(false) });
        all.insert(key.clone(), flight.clone());
        Role::Leader(Leader { flights: self.clone(), key: key.clone(), flight })
    }

    /// Makes answers in flight under `pattern` stale, so that they are not stored and later requests fetch again.
    /// Then drops stored answers. Both happen under the lock that also guards storing, so no answer is missed.
    pub(crate) fn invalidate(&self, store: &Store, distribution: &Arc<str>, pattern: &str) -> usize {
        let mut all = self.lock();
        all.retain(|key, flight| {
            let meant = key.distribution == *distribution
                && match pattern.strip_suffix('*') {
                    Some(prefix) => key.path.starts_with(prefix),
                    None => *key.path == *pattern,
                };
            if meant {
                flight.stale.store(true, SeqCst);
            }
            !meant
        });
        store.invalidate(distribution, pattern)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Flight>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leader {
    pub(crate) fn ready(&self, entry: &Arc<Entry>) {
        self.flight.state.send_replace(State::Ready(entry.clone()));
    }

    pub(crate) fn alone(self) {
        self.flight.state.send_replace(State::Alone);
    }

    /// The answer is complete: stores it, unless it was invalidated meanwhile.
    pub(crate) fn land(self, store: &Store, entry: Arc<Entry>) {
        let all = self.flights.lock();
        if !self.flight.stale.load(SeqCst) {
            store.insert(&self.key, entry);
        }
        drop(all);
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.flight.state.send_if_modified(|state| {
            let waiting = matches!(state, State::Waiting);
            if waiting {
                *state = State::Left;
            }
            waiting
        });
        let mut all = self.flights.lock();
        if all.get(&self.key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
            all.remove(&self.key);
        }
    }
}

//! Bounds how many flows exist, in total and for one source address.

use std::{
    collections::HashMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Places for flows. One source gets at most half of them, so that a task that opens as many as it can leaves the rest to
/// others. Tasks behind one NAT gateway share its address, and so its places, as they share its ports on AWS.
pub(super) struct Places {
    total: usize,
    held: Mutex<HashMap<Ipv4Addr, usize>>,
}

/// A place, free again when dropped.
pub(super) struct Place {
    places: Arc<Places>,
    source: Ipv4Addr,
}

impl Places {
    pub(super) fn new(total: usize) -> Arc<Places> {
        Arc::new(Places { total, held: Mutex::default() })
    }

    pub(super) fn take(self: &Arc<Self>, source: Ipv4Addr) -> Option<Place> {
        let mut held = self.held();
        let (all, own) = (held.values().sum::<usize>(), held.get(&source).copied().unwrap_or(0));
        if all >= self.total || own >= self.total.div_ceil(2) {
            return None;
        }
        held.insert(source, own + 1);
        Some(Place { places: Arc::clone(self), source })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Ipv4Addr, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.places.held();
        if let Some(count) = held.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_cannot_take_all_places() {
        let (a, b) = (Ipv4Addr::new(198, 18, 1, 1), Ipv4Addr::new(198, 18, 1, 2));
        let places = Places::new(4);
        let of_a: Vec<_> = (0..4).filter_map(|_| places.take(a)).collect();
        assert_eq!(of_a.len(), 2);
        let of_b: Vec<_> = (0..4).filter_map(|_| places.take(b)).collect();
        assert_eq!(of_b.len(), 2);
        assert!(places.take(Ipv4Addr::LOCALHOST).is_none(), "all are taken");
        drop(of_a);
        assert!(places.take(a).is_some());
        assert!(places.take(b).is_none());
        drop(of_b);
        assert!(places.held().is_empty());
    }
}

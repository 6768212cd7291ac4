//! What a log group may hold.
//!
//! AWS has no such bound and charges for what is stored; the disk of one machine has one. A group is looked at again when it was
//! given a sixteenth of its bound, so it never holds more than that above it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Bytes of all events of a group: weeks of an ordinary web application, and a disk has room for dozens of them.
pub(crate) const GROUP_BYTES: u64 = 1 << 30;

/// The event in the place of those that were dropped.
pub(crate) const NOTE: &str =
    "[escale] Older events of this log group were dropped: Escale keeps the newest 1 GiB of a group";

/// Bytes that each group was given since it was last looked at.
#[derive(Default)]
pub(crate) struct Bound(Mutex<HashMap<String, u64>>);

impl Bound {
    /// Counts what a group was given; says whether it is to be looked at now. The first time it is: nothing is known of what an
    /// earlier process stored.
    pub(crate) fn is_due(&self, group: &str, bytes: u64) -> bool {
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match given.get_mut(group) {
            Some(since) if *since + bytes < GROUP_BYTES / 16 => {
                *since += bytes;
                false
            }
            Some(since) => {
                *since = 0;
                true
            }
            None => {
                given.insert(group.to_owned(), 0);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_looked_at_first_and_after_each_sixteenth() {
        let bound = Bound::default();
        assert!(bound.is_due("a", 1), "it may be full already");
        assert!(!bound.is_due("a", GROUP_BYTES / 16 - 1));
        assert!(bound.is_due("b", 1));
        assert!(bound.is_due("a", 1));
        assert!(!bound.is_due("a", 1), "it counts from the last look");
    }
}

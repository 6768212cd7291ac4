//! Work that has to be done now and then, and sooner when what it looks at has changed.

use escale_base::Timestamp;
use std::sync::{Mutex, PoisonError};

/// When such work was last done, and what it had looked at: rows, as `L` tells them. Lost with the daemon: then it is done again.
pub struct Periodic<L> {
    every_ms: i64,
    last: Mutex<Option<(Timestamp, L)>>,
}

impl<L: PartialEq> Periodic<L> {
    pub fn new(every_ms: i64) -> Periodic<L> {
        Periodic { every_ms, last: Mutex::default() }
    }

    /// Until when there is nothing to do; `None` when the work is due.
    pub fn rests_until(&self, now: Timestamp, looks_at: &L) -> Option<Timestamp> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (began, looked_at) = last.as_ref()?;
        let next = began.plus_ms(self.every_ms);
        (now < next && looked_at == looks_at).then_some(next)
    }

    /// Notes work that came to its end. It `began` with these rows; what changed meanwhile makes it due again. Work that
    /// failed, or was cut off, is not noted and thus still due.
    pub fn done(&self, began: Timestamp, looked_at: L) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((began, looked_at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_due_at_first_when_rows_changed_and_when_the_time_is_over() {
        let work = Periodic::new(10);
        assert_eq!(work.rests_until(Timestamp(100), &"a"), None);
        work.done(Timestamp(100), "a");
        assert_eq!(work.rests_until(Timestamp(109), &"a"), Some(Timestamp(110)));
        assert_eq!(work.rests_until(Timestamp(101), &"b"), None);
        assert_eq!(work.rests_until(Timestamp(110), &"a"), None);
    }
}

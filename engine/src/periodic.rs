//! Periodic work that runs earlier when its input rows have changed.

use escale_base::Timestamp;
use std::sync::{Mutex, PoisonError};

/// When the work was last done, and on which rows, summarised as `L`. Lost with the daemon, which then does the work again.
pub struct Periodic<L> {
    every_ms: i64,
    last: Mutex<Option<(Timestamp, L)>>,
}

impl<L: PartialEq> Periodic<L> {
    pub fn new(every_ms: i64) -> Periodic<L> {
        Periodic { every_ms, last: Mutex::default() }
    }

    /// The time before which there is nothing to do; `None` when the work is due.
    pub fn rests_until(&self, now: Timestamp, looks_at: &L) -> Option<Timestamp> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (began, looked_at) = last.as_ref()?;
        let next = began.plus_ms(self.every_ms);
        (now < next && looked_at == looks_at).then_some(next)
    }

    /// Records completed work. It `began` at that time with these rows; a later change makes it due again. Work that
    /// failed or was cut off is not recorded and is therefore still due.
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

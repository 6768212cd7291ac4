//! What was counted since the last pass.

use escale_base::Timestamp;
use std::collections::HashMap;

pub(super) struct Counters {
    /// When this daemon began to read: what was counted before belongs to other times.
    began: Timestamp,
    last: HashMap<String, Last>,
}

struct Last {
    value: u64,
    /// Seconds.
    at: i64,
    is_used: bool,
}

impl Counters {
    pub(super) fn new(began: Timestamp) -> Counters {
        Counters { began, last: HashMap::new() }
    }

    /// What a counter of an object created at `created` counted since the last pass. A counter below its last value began anew.
    pub(super) fn since(&mut self, key: String, value: u64, created: Timestamp, now: i64) -> u64 {
        let first = if created > self.began { 0 } else { value };
        let last = self.last.entry(key).or_insert(Last { value: first, at: now, is_used: true });
        let since = value.checked_sub(last.value).unwrap_or(value);
        *last = Last { value, at: now, is_used: true };
        since
    }

    /// As [`Counters::since`], with the seconds between both reads. `None` at the first read, and when the counter began anew.
    pub(super) fn rate(&mut self, key: String, value: u64, now: i64) -> Option<(u64, i64)> {
        let new = Last { value, at: now, is_used: true };
        let last = self.last.insert(key, new)?;
        let secs = now - last.at;
        value.checked_sub(last.value).filter(|_| secs > 0).map(|since| (since, secs))
    }

    /// Drops the counters that were not read since the last call.
    pub(super) fn forget_unused(&mut self) {
        self.last.retain(|_, last| std::mem::take(&mut last.is_used));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_since_the_last_pass_even_after_a_restart() {
        let mut counters = Counters::new(Timestamp(100));
        let (old, new) = (Timestamp(50), Timestamp(150));
        let mut since = |value, created| counters.since(format!("{created:?}"), value, created, 0);
        assert_eq!(since(70, old), 0, "counted before this daemon");
        assert_eq!(since(75, old), 5);
        assert_eq!(since(3, new), 3);
        assert_eq!(since(2, old), 2, "the counting process was started again");
        counters.forget_unused();
        counters.forget_unused();
        assert!(counters.last.is_empty());
        assert_eq!(counters.rate("cpu".into(), 10, 100), None);
        assert_eq!(counters.rate("cpu".into(), 40, 160), Some((30, 60)));
        assert_eq!(counters.rate("cpu".into(), 5, 220), None);
    }
}

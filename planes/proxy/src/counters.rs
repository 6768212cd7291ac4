//! Counters of listeners and targets. Written without locks, read as plain data.

use serde::{Deserialize, Serialize};
use std::{
    net::SocketAddr,
    sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// The counters of one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeCounts {
    pub node: String,
    pub zone: String,
    pub listeners: Vec<ListenerCount>,
    pub targets: Vec<TargetCount>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListenerCount {
    pub port: u16,
    pub requests: u64,
    /// Answers that the balancer generated itself, by status class.
    pub own: Outcomes,
    pub redirects: u64,
    pub fixed: u64,
    pub active_connections: u64,
    pub new_connections: u64,
    pub received_bytes: u64,
    pub sent_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetCount {
    pub group: String,
    pub addr: SocketAddr,
    pub requests: u64,
    /// The target's answers by status class.
    pub outcomes: Outcomes,
    pub connection_errors: u64,
    pub outstanding: u64,
    /// From the end of the request to the first byte of the answer.
    pub latency: Histogram,
}

/// Answers by status class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    pub s2xx: u64,
    pub s3xx: u64,
    pub s4xx: u64,
    pub s5xx: u64,
}

/// `buckets[i]` counts values from [`Histogram::lower_us`]`(i)` to the next bucket's. Four buckets double the value, so that a
/// value is known within an eighth.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    pub count: u64,
    pub sum_us: u64,
    pub buckets: Vec<u64>,
}

/// The last bucket holds everything above 2^31 µs, 35 minutes.
pub(crate) const BUCKETS: usize = 121;

#[derive(Default)]
pub(crate) struct ListenerCounters {
    pub(crate) requests: AtomicU64,
    pub(crate) own: OutcomeCounters,
    pub(crate) redirects: AtomicU64,
    pub(crate) fixed: AtomicU64,
    pub(crate) active: AtomicI64,
    pub(crate) opened: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) sent: AtomicU64,
}

impl escale_httpguard::Meter for ListenerCounters {
    fn received(&self, bytes: u64) {
        self.received.fetch_add(bytes, Relaxed);
    }

    fn sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Relaxed);
    }
}

impl ListenerCounters {
    pub(crate) fn read(&self, port: u16) -> ListenerCount {
        ListenerCount {
            port,
            requests: self.requests.load(Relaxed),
            own: self.own.read(),
            redirects: self.redirects.load(Relaxed),
            fixed: self.fixed.load(Relaxed),
            active_connections: self.active.load(Relaxed).max(0) as u64,
            new_connections: self.opened.load(Relaxed),
            received_bytes: self.received.load(Relaxed),
            sent_bytes: self.sent.load(Relaxed),
        }
    }
}

#[derive(Default)]
pub(crate) struct OutcomeCounters([AtomicU64; 4]);

impl OutcomeCounters {
    pub(crate) fn add(&self, status: http::StatusCode) {
        let class = usize::from(status.as_u16() / 100);
        if let Some(counter) = class.checked_sub(2).and_then(|i| self.0.get(i)) {
            counter.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn read(&self) -> Outcomes {
        let [s2xx, s3xx, s4xx, s5xx] = [0, 1, 2, 3].map(|i| self.0[i].load(Relaxed));
        Outcomes { s2xx, s3xx, s4xx, s5xx }
    }
}

pub(crate) struct HistogramCounters {
    count: AtomicU64,
    sum_us: AtomicU64,
    buckets: [AtomicU64; BUCKETS],
}

impl Default for HistogramCounters {
    fn default() -> HistogramCounters {
        let buckets = std::array::from_fn(|_| AtomicU64::default());
        HistogramCounters { count: AtomicU64::default(), sum_us: AtomicU64::default(), buckets }
    }
}

fn bucket_of(us: u64) -> usize {
    match us.checked_ilog2() {
        None | Some(0 | 1) => us as usize,
        Some(power) => (power as usize - 1) * 4 + ((us >> (power - 2)) & 3) as usize,
    }
}

impl HistogramCounters {
    pub(crate) fn add(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.buckets[bucket_of(us).min(BUCKETS - 1)].fetch_add(1, Relaxed);
        self.count.fetch_add(1, Relaxed);
        self.sum_us.fetch_add(us, Relaxed);
    }

    pub(crate) fn read(&self) -> Histogram {
        Histogram {
            count: self.count.load(Relaxed),
            sum_us: self.sum_us.load(Relaxed),
            buckets: self.buckets.iter().map(|b| b.load(Relaxed)).collect(),
        }
    }
}

impl Histogram {
    /// The least value of a bucket, in microseconds.
    pub fn lower_us(bucket: usize) -> u64 {
        match bucket {
            0..4 => bucket as u64,
            _ => (4 + bucket as u64 % 4) << (bucket / 4 - 1),
        }
    }

    /// An upper bound of the value below which `share` (0 to 1) of all values lie, in microseconds.
    pub fn percentile_us(&self, share: f64) -> Option<u64> {
        let rank = (self.count as f64 * share).ceil().max(1.0) as u64;
        let mut below = 0;
        self.buckets.iter().enumerate().find_map(|(i, n)| {
            below += n;
            (self.count > 0 && below >= rank).then(|| Histogram::lower_us(i + 1))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        let h = HistogramCounters::default();
        for us in [1, 3, 3, 1000] {
            h.add(Duration::from_micros(us));
        }
        let h = h.read();
        assert_eq!((h.count, h.sum_us), (4, 1007));
        assert_eq!(h.percentile_us(0.5), Some(4));
        assert_eq!(h.percentile_us(1.0), Some(1024));
        for us in [0, 1, 3, 4, 7, 8, 9, 999, 1000, 123_456, 1 << 30] {
            let bucket = bucket_of(us);
            let range = Histogram::lower_us(bucket)..Histogram::lower_us(bucket + 1);
            assert!(range.contains(&us), "{us} is in {range:?}");
        }
        assert_eq!(Histogram::default().percentile_us(0.5), None);
    }
}

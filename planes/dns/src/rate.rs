//! Rate limits per client: one token bucket each, in a table of fixed size.

use escale_base::limits::dns as limits;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Instant;

pub(crate) struct Rate {
    slots: Vec<Option<Bucket>>,
    /// Keyed randomly, so that an attacker cannot choose the client to share a slot with.
    hasher: RandomState,
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Rate {
    pub(crate) fn new() -> Rate {
        Rate { slots: vec![None; limits::RATE_SLOTS], hasher: RandomState::new() }
    }

    /// Whether one more question of this client is answered; the burst is one second's worth.
    pub(crate) fn allows(&mut self, client: IpAddr, per_second: Option<u32>) -> bool {
        let Some(per_second) = per_second.map(f64::from) else { return true };
        let slot = (self.hasher.hash_one(client) % limits::RATE_SLOTS as u64) as usize;
        let now = Instant::now();
        let bucket = self.slots[slot].get_or_insert(Bucket { tokens: per_second, at: now });
        let gained = now.duration_since(bucket.at).as_secs_f64() * per_second;
        *bucket = Bucket { tokens: (bucket.tokens + gained).min(per_second), at: now };
        let allowed = bucket.tokens >= 1.0;
        if allowed {
            bucket.tokens -= 1.0;
        }
        allowed
    }
}

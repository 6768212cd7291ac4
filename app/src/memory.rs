//! How the daemon's memory stays small: docs/decisions/019.
//!
//! After a burst of requests, glibc's allocator keeps the freed memory: in one arena for each of many threads, below whatever is
//! still in use at their ends. So threads share few arenas, and free memory is returned to the kernel regularly.

use std::time::Duration;

/// The number of arenas that all threads share. Under a mixed load, no cost of the contention could be measured.
#[cfg(target_env = "gnu")]
const ARENAS: nix::libc::c_int = 2;

/// Pause between two trims. A trim takes some milliseconds, on a thread that no request waits for.
const GIVE_BACK_EVERY: Duration = Duration::from_secs(30);

/// Limits the allocator's arenas. Must be called before the first thread starts, because existing arenas are kept.
pub(crate) fn share_arenas() {
    // SAFETY: mallopt takes two integers and may be called at any time.
    #[cfg(target_env = "gnu")]
    unsafe {
        nix::libc::mallopt(nix::libc::M_ARENA_MAX, ARENAS);
    }
}

/// Returns free memory to the kernel at each interval; never ends.
pub(crate) async fn give_back() {
    let mut turns = tokio::time::interval(GIVE_BACK_EVERY);
    loop {
        turns.tick().await;
        // On a blocking thread, because it holds each arena's lock for a while. The result is ignored: it is an error only if
        // `trim` panics, and it cannot.
        let _ = tokio::task::spawn_blocking(trim).await;
    }
}

fn trim() {
    // SAFETY: malloc_trim takes an integer, touches free memory only, and locks what it looks at.
    #[cfg(target_env = "gnu")]
    unsafe {
        nix::libc::malloc_trim(0);
    }
}

#[cfg(target_env = "gnu")]
#[cfg(test)]
mod tests {
    use std::hint::black_box;

    fn resident_kib() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|l| l.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    #[test]
    fn trim_returns_freed_memory_below_a_used_block() {
        let mut pieces: Vec<Vec<u8>> = (0..64 * 1024).map(|_| black_box(vec![1u8; 1024])).collect();
        let full = resident_kib();
        // The last piece keeps the heap's end where it is, as a row that was stored during a burst does.
        pieces.drain(..64 * 1024 - 1);
        super::trim();
        let after = resident_kib();
        assert!(full - after > 48 * 1024, "{full} KiB before, {after} KiB after");
        drop(pieces);
    }
}

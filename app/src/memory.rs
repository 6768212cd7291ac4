//! How the daemon's memory stays small: docs/decisions/019.
//!
//! What a burst of requests used has been freed when it is over, but glibc's allocator keeps it: in an arena for each of many threads, below
//! whatever is still used at their ends. Few arenas are shared, and what is free in them is given back to the kernel now and then.

use std::time::Duration;

/// Threads share these. The processor time that they lose by waiting for one another could not be measured under a mixed load.
#[cfg(target_env = "gnu")]
const ARENAS: nix::libc::c_int = 2;

/// Between two times of giving back. One takes some milliseconds, on a thread that nothing waits for.
const GIVE_BACK_EVERY: Duration = Duration::from_secs(30);

/// Limits the allocator. Before the first thread is started: an arena that exists stays.
pub(crate) fn share_arenas() {
    // SAFETY: mallopt takes two integers and may be called at any time.
    #[cfg(target_env = "gnu")]
    unsafe {
        nix::libc::mallopt(nix::libc::M_ARENA_MAX, ARENAS);
    }
}

/// Gives free memory back to the kernel, for ever.
pub(crate) async fn give_back() {
    let mut turns = tokio::time::interval(GIVE_BACK_EVERY);
    loop {
        turns.tick().await;
        // It holds each arena's lock for a while: not on a thread that serves. Its failure would be a panic, of which it has none.
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
    fn freed_memory_below_a_used_piece_is_given_back() {
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

//! Runs the shop's scenario with many seeds, in bounded time.
//!
//! - `SIM_SEED=17` runs that seed alone, and `SIM_LOG=info` (any filter) logs what happens in it;
//! - `SIM_SECONDS=600` goes on for so long, with seeds that no run had before; `SIM_FROM=1000` begins there instead.

use escale_sim::{Outcome, run};
use std::{
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// Unless `SIM_SECONDS` says another.
const SECONDS: u64 = 12;
/// However slow the machine is: fewer prove nothing.
const AT_LEAST: u64 = 6;
/// A run takes some seconds; one that takes this long goes in circles in no time.
const HANGS: Duration = Duration::from_secs(180);

#[test]
fn the_shop_survives_whatever_happens() {
    if let Some(seed) = variable("SIM_SEED") {
        log();
        println!("{:?}", outcome(seed));
        return;
    }
    let (began, seconds) = (now(), Duration::from_secs(variable("SIM_SECONDS").unwrap_or(SECONDS)));
    let first = variable("SIM_FROM").unwrap_or(0);
    let next = AtomicU64::new(first);
    let made = thread::scope(|scope| {
        let work = || {
            let mut made = 0u64;
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed - first >= AT_LEAST && began.elapsed() > seconds {
                    return made;
                }
                made += u64::from(outcome(seed).stack == "CREATE_COMPLETE");
            }
        };
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|w| w.join().expect("a seed has failed; it is named above")).sum::<u64>()
    });
    println!("{made} stacks were made, the others rolled back");
    assert!(made > 0, "no stack at all was made: that is no simulation of a shop");
}

/// The same seed must give the same run, so that a failure can be reproduced.
#[test]
fn a_seed_repeats_itself() {
    for seed in [1, 6] {
        assert_eq!(outcome(seed), outcome(seed), "seed {seed}");
    }
}

fn outcome(seed: u64) -> Outcome {
    let (sender, done) = mpsc::channel();
    thread::spawn(move || sender.send(run(seed)));
    match done.recv_timeout(HANGS) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => panic!("SIM_SEED={seed}: {error:#}"),
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("SIM_SEED={seed}: it does not end within {HANGS:?}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => panic!("SIM_SEED={seed}: it panicked, see above"),
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: not a number")))
}

fn log() {
    let filter = std::env::var("SIM_LOG").unwrap_or_default();
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .try_init();
}

#[allow(clippy::disallowed_methods)] // real time: how long the test may take
fn now() -> Instant {
    Instant::now()
}

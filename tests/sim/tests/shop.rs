//! Runs the shop's scenario with many seeds, in bounded time.
//!
//! - `SIM_SEED=17` runs only that seed, and `SIM_LOG=info` (any filter) writes its log;
//! - `SIM_SECONDS=600` runs seeds from 0 upwards for that time; `SIM_FROM=1000` begins with another seed.

use escale_sim::{Outcome, run};
use std::{
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// The default of `SIM_SECONDS`.
const SECONDS: u64 = 12;
/// The number of seeds on a slow machine: fewer would prove nothing.
const AT_LEAST: u64 = 6;
/// A run takes some seconds. One that takes this long is an endless loop in which no simulated time passes.
const HANGS: Duration = Duration::from_secs(180);

#[test]
fn shop_survives_random_faults() {
    if let Some(seed) = variable("SIM_SEED") {
        log();
        println!("{:?}", outcome(seed));
        return;
    }
    let (began, seconds) = (now(), Duration::from_secs(variable("SIM_SECONDS").unwrap_or(SECONDS)));
    let first = variable("SIM_FROM").unwrap_or(0);
    let next = AtomicU64::new(first);
    let created = thread::scope(|scope| {
        let work = || {
            let mut created = 0u64;
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed - first >= AT_LEAST && began.elapsed() > seconds {
                    return created;
                }
                created += u64::from(outcome(seed).stack == "CREATE_COMPLETE");
            }
        };
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|w| w.join().expect("a seed failed: see the message above")).sum::<u64>()
    });
    println!("{created} stacks were created, the others rolled back");
    // Otherwise the checks of a deployed shop would never run.
    assert!(created > 0, "every stack was rolled back");
}

/// The same seed must give the same run, so that a failure can be reproduced.
#[test]
fn same_seed_gives_the_same_run() {
    for seed in [1, 6] {
        assert_eq!(outcome(seed), outcome(seed), "seed {seed}");
    }
}

fn outcome(seed: u64) -> Outcome {
    // On a thread of its own, so that an endless loop in it can be reported.
    let (sender, done) = mpsc::channel();
    thread::spawn(move || sender.send(run(seed)));
    match done.recv_timeout(HANGS) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => panic!("SIM_SEED={seed}: {error:#}"),
        Err(mpsc::RecvTimeoutError::Timeout) => {
            panic!("SIM_SEED={seed}: the run does not end within {HANGS:?}")
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => panic!("SIM_SEED={seed}: the run panicked, see above"),
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

//! Runs the shop's scenario with many seeds.
//!
//! - `SIM_SEED=17` runs only that seed, and `SIM_LOG=info` (any filter) writes its log;
//! - `SIM_SEEDS=10000` runs so many seeds from 0 upwards, `SIM_SECONDS=600` runs seeds for that time; `SIM_FROM=1000` begins with
//!   another seed.
//!
//! All seeds run, also after one has failed; the message at the end lists each failure with its seed.

use escale_sim::{Outcome, run};
use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// The default of `SIM_SEEDS`: about a minute on two processors.
const SEEDS: u64 = 200;
/// After so many failures no further seed is begun: they probably have one cause.
const MOST_FAILURES: usize = 20;
/// A run takes some seconds. One that takes this long is an endless loop in which no simulated time passes.
const HANGS: Duration = Duration::from_secs(180);

#[test]
fn shop_survives_random_faults() {
    if let Some(seed) = variable("SIM_SEED") {
        log();
        println!("{:?}", outcome(seed).unwrap_or_else(|error| panic!("{error}")));
        return;
    }
    let began = now();
    let seconds = variable("SIM_SECONDS").map(Duration::from_secs);
    let first = variable("SIM_FROM").unwrap_or(0);
    let last = match (variable("SIM_SEEDS"), seconds) {
        (None, Some(_)) => u64::MAX,
        (seeds, _) => first + seeds.unwrap_or(SEEDS),
    };
    let next = AtomicU64::new(first);
    let results = Mutex::new((0u64, 0u64, 0u64, Vec::new()));
    thread::scope(|scope| {
        let work = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                let is_late = seconds.is_some_and(|most| began.elapsed() > most);
                if seed >= last || is_late || results.lock().unwrap().3.len() >= MOST_FAILURES {
                    return;
                }
                let result = outcome(seed);
                let mut all = results.lock().unwrap();
                all.0 += 1;
                match result {
                    Ok(outcome) => {
                        all.1 += u64::from(outcome.stack == "CREATE_COMPLETE");
                        all.2 += outcome.faults;
                    }
                    Err(error) => {
                        println!("{error}");
                        all.3.push(error);
                    }
                }
            }
        };
        (0..thread::available_parallelism().map_or(1, usize::from)).for_each(|_| drop(scope.spawn(work)));
    });
    let (runs, created, faults, failures) = results.into_inner().unwrap();
    let took = began.elapsed().as_secs();
    println!(
        "simulation: {runs} seeds from {first}, {took} s, {faults} faults injected, {created} stacks created, {} seeds failed",
        failures.len()
    );
    assert!(failures.is_empty(), "{} seeds failed:\n{}", failures.len(), failures.join("\n"));
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

/// The error names the seed.
fn outcome(seed: u64) -> Result<Outcome, String> {
    // On a thread of its own, so that an endless loop in it can be reported.
    let (sender, done) = mpsc::channel();
    thread::spawn(move || sender.send(run(seed)));
    let why = match done.recv_timeout(HANGS) {
        Ok(Ok(outcome)) => return Ok(outcome),
        Ok(Err(error)) => format!("{error:#}"),
        Err(mpsc::RecvTimeoutError::Timeout) => format!("the run does not end within {HANGS:?}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => "the run panicked, see above".to_owned(),
    };
    Err(format!("SIM_SEED={seed}: {why}"))
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

//! Runs a target over its corpus and random mutations of it.

use crate::{Target, mutate::mutate};
use anyhow::{Context, Result, bail};
use nix::time::{ClockId, clock_gettime};
use rand::{Rng, SeedableRng, rngs::StdRng};
use sha2::{Digest, Sha256};
use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// The figures of a run.
#[derive(Debug)]
pub struct Figures {
    pub inputs: u64,
    pub took: Duration,
    /// The time of the slowest input.
    pub slowest: Duration,
}

/// An input that needs more CPU time is a fault, also in a build without optimization. CPU time rather than elapsed time, so
/// that other work on the machine cannot fail an input.
const SLOW: Duration = Duration::from_secs(2);

/// The corpus of a target, sorted by file name.
pub fn corpus(target: &Target) -> Result<Vec<Vec<u8>>> {
    let folder = folder().join("corpus").join(target.name);
    let what =
        || format!("cannot read the corpus of the fuzz target {} at {}", target.name, folder.display());
    let files =
        fs::read_dir(&folder).with_context(what)?.collect::<Result<Vec<_>, _>>().with_context(what)?;
    let mut files: Vec<PathBuf> = files.into_iter().map(|f| f.path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).with_context(what)).collect()
}

/// Checks the whole corpus and then mutations of it, in all `inputs`. A failing input is written to `fuzz/artifacts`, and the
/// error names its file.
pub fn run(target: &Target, inputs: u64, seed: u64) -> Result<Figures> {
    let kept = corpus(target)?;
    if kept.is_empty() {
        bail!(
            "the fuzz target {} has no input in fuzz/corpus/{}. Add one that the parser accepts",
            target.name,
            target.name
        );
    }
    let mut random = StdRng::seed_from_u64(seed);
    let began = Instant::now();
    let mut figures = Figures { inputs: 0, took: Duration::ZERO, slowest: Duration::ZERO };
    let mut pool = kept.clone();
    loop {
        let input = match kept.get(figures.inputs as usize) {
            Some(input) => input.clone(),
            None => {
                let (a, b) = (random.random_range(0..pool.len()), random.random_range(0..pool.len()));
                mutate(&pool[a], &pool[b], &mut random)
            }
        };
        let took = one(target, &input)?;
        figures.inputs += 1;
        figures.slowest = figures.slowest.max(took);
        // Some mutations are mutated again. The pool drops them after a while, so that most inputs stay similar to valid ones.
        if input.len() < 4096 && random.random_ratio(1, 64) {
            if pool.len() >= 4 * kept.len().max(16) {
                pool.truncate(kept.len());
            }
            pool.push(input);
        }
        figures.took = began.elapsed();
        if figures.inputs >= inputs.max(kept.len() as u64) {
            return Ok(figures);
        }
    }
}

fn one(target: &Target, input: &[u8]) -> Result<Duration> {
    let began = processor_time()?;
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.check)(input)));
    let took = processor_time()?.saturating_sub(began);
    if outcome.is_ok() && took < SLOW {
        return Ok(took);
    }
    let what = if outcome.is_err() { "panicked".to_owned() } else { format!("took {took:?}") };
    let file = keep(target, input)?;
    bail!("the fuzz target {} {what} on the input {} ({} bytes)", target.name, file.display(), input.len())
}

/// The CPU time of this thread so far.
fn processor_time() -> Result<Duration> {
    let spent =
        clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).context("cannot read the thread's CPU time")?;
    Ok(spent.into())
}

fn keep(target: &Target, input: &[u8]) -> Result<PathBuf> {
    let folder = folder().join("artifacts").join(target.name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create the folder {}", folder.display()))?;
    let name = hex::encode(&Sha256::digest(input)[..8]);
    let file = folder.join(name);
    fs::write(&file, input).with_context(|| format!("cannot write the input to {}", file.display()))?;
    Ok(file)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

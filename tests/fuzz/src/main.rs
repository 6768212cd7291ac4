//! `escale-fuzz [TARGET] [--inputs N] [--seed N]`: the program of `cargo xtask fuzz`.

use anyhow::{Context, Result, bail};
use escale_fuzz::{TARGETS, Target, run};

/// The default number of inputs of each target. The figures in docs/reliability.md are for this number.
const INPUTS: u64 = 1_000_000;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (mut only, mut inputs, mut seed) = (None, INPUTS, rand::random::<u64>());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--inputs" => inputs = number(&argument, arguments.next())?,
            "--seed" => seed = number(&argument, arguments.next())?,
            name => only = Some(name.to_owned()),
        }
    }
    let targets: Vec<&Target> =
        TARGETS.iter().filter(|t| only.as_ref().is_none_or(|name| name == t.name)).collect();
    if targets.is_empty() {
        let known: Vec<&str> = TARGETS.iter().map(|t| t.name).collect();
        bail!("there is no fuzz target {}: choose one of {}", only.unwrap_or_default(), known.join(", "));
    }
    println!(
        "seed {seed}\n\n| target | inputs | seconds | per second | slowest |\n| --- | ---: | ---: | ---: | ---: |"
    );
    for target in targets {
        let figures = run(target, inputs, seed)?;
        let seconds = figures.took.as_secs_f64();
        println!(
            "| {} | {} | {seconds:.0} | {:.0} | {:.1} ms |",
            target.name,
            figures.inputs,
            figures.inputs as f64 / seconds,
            figures.slowest.as_secs_f64() * 1000.0
        );
    }
    Ok(())
}

fn number(option: &str, text: Option<String>) -> Result<u64> {
    let text = text.with_context(|| format!("{option} needs a number"))?;
    text.parse().with_context(|| format!("{option} needs a number, not '{text}'"))
}

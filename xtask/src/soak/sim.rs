//! The simulation of the whole cloud, with many seeds.

use super::Finding;
use crate::run::{cargo, root};
use anyhow::{Context, Result};
use std::process::{Command, Stdio};

pub(super) const SHOWS: &str = "The shop is created, checked and deleted on planes in memory, in simulated time (tests/sim). Each seed determines another run: calls of planes \
                                fail, are slow, or return what was true before; tasks and database servers die; zones lose their power or their network; the clock is \
                                set back or forward; users stop tasks, redeploy and delete; the daemon dies between any two commits and at any call. After every change \
                                of rows: services are within their healthy percentages, each database has one primary at most and all acknowledged rows, no address is \
                                used twice, and no process lacks a row. At the end planes and rows agree, and after the deletion nothing is left. \
                                `SIM_SEED=N cargo test -p escale-sim` repeats the run of a seed.";

pub(super) fn soak(seeds: u64, first: u64) -> Result<Finding> {
    let mut test = Command::new(cargo());
    // Its profile: ten times as fast, and still with every check of overflows.
    test.args(["test", "--profile", "fuzz", "--package", "escale-sim", "--locked", "--test", "shop"]);
    test.args(["shop_survives_random_faults", "--", "--nocapture"]).current_dir(root());
    test.env("SIM_SEEDS", seeds.to_string()).env("SIM_FROM", first.to_string()).env_remove("SIM_SEED");
    let done = test.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    Ok(Finding { text: summary(&String::from_utf8_lossy(&done.stdout)), passed: done.status.success() })
}

/// The line of figures, and a line for each seed that failed.
fn summary(printed: &str) -> String {
    let figures = printed.lines().find_map(|line| line.split_once("simulation: "));
    let mut text = figures.map_or("the run did not reach its end", |(_, figures)| figures).to_owned();
    for failure in printed.lines().filter(|line| line.starts_with("SIM_SEED=")) {
        text.push_str(&format!("\n\n{failure}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::summary;

    #[test]
    fn failing_seeds_are_listed() {
        let printed = "noise\nSIM_SEED=6: a row is lost\nsimulation: 10 seeds from 0\nend";
        assert_eq!(summary(printed), "10 seeds from 0\n\nSIM_SEED=6: a row is lost");
        assert_eq!(summary(""), "the run did not reach its end");
    }
}

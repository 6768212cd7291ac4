//! The history of concurrent clients of a database, over rounds of all faults in random order.

use super::Finding;
use crate::{setup, test};
use anyhow::{Context, Result};
use std::process::Command;

pub(super) const SHOWS: &str = "Six writers and two readers use a Multi-AZ instance through its name, while every fault of \"Automatic failover of databases\" and forced failovers \
                                happen in random order: each for a random time, some shorter than it takes to notice them, some together with a fault of the \
                                other server, some before the pair is whole again. Every value is written once. In the manner of Jepsen, the history of all \
                                operations is checked after each round (tests/clients/history.py): no acknowledged value is lost, none is there twice, none \
                                appears that was not written or whose write failed, and no read lacks what was acknowledged, or read, before it began. With \
                                synchronous replication switched off the same check finds lost values \
                                (`test_check_finds_lost_rows_without_synchronous_replication`). The seed of a round determines its faults and their \
                                durations, not the moments at which clients write.";

/// `seed` is that of the first round; the next ones count upwards.
pub(super) fn soak(rounds: u64, seed: u64) -> Result<Finding> {
    setup::all()?;
    let program = test::program()?;
    let mut pytest = Command::new(setup::venv().join("bin/python"));
    let chosen = "tests/clients/test_failover.py::test_history_of_concurrent_clients_is_consistent";
    pytest.args(["-m", "pytest", "-q", "-s", "-p", "no:xdist", chosen]);
    pytest.env("ESCALE", program);
    pytest.env("ESCALE_TEST_HISTORY", rounds.to_string()).env("ESCALE_TEST_SEED", seed.to_string());
    let done = pytest.output().context("cannot start pytest")?;
    let printed = String::from_utf8_lossy(&done.stdout);
    Ok(Finding { text: format!("First seed: {seed}.\n\n{}", table(&printed)), passed: done.status.success() })
}

/// The figures of all rounds, and the rounds with violations. pytest prints its dots on the same lines.
fn table(printed: &str) -> String {
    let after = |start: &'static str| {
        printed.lines().filter_map(move |line| line.split_once(start).map(|(_, rest)| rest))
    };
    let Some(figures) = after("history: ").next() else { return "the run did not reach its end".to_owned() };
    let mut text = format!(
        "| rounds | faults | acknowledged | failed | unknown | reads | rounds with violations |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n{figures}\n"
    );
    for round in after("round: ").filter(|round| !round.contains("} consistent: ")) {
        text.push_str(&format!("\nSeed {round}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn figures_and_violations_are_shown() {
        let printed = ".round: 1 {'reads': 2} consistent: primary killed for 1.0 s\nround: 2 {'reads': 1} {'lost': [5]}: zone\n\
                       history: | 2 | 22 | 10 | 0 | 1 | 3 | 1 |\n.";
        let text = table(printed);
        assert!(
            text.contains("| 2 | 22 | 10 | 0 | 1 | 3 | 1 |\n\nSeed 2 {'reads': 1} {'lost': [5]}: zone\n"),
            "{text}"
        );
        assert!(!text.contains("Seed 1"), "{text}");
        assert_eq!(table("E error"), "the run did not reach its end");
    }
}

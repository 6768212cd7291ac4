//! Faults of database servers, many times each.

use super::Finding;
use crate::{setup, test};
use anyhow::{Context, Result};
use std::process::Command;

pub(super) const SHOWS: &str = "A Multi-AZ instance loses its primary or its standby in every way that a plan cannot see, while clients write through its name from a third \
                                zone: three that keep a connection, and a new one every 50 ms, each with a limit of one second for a connection and for a statement. The \
                                figure is the time from the fault to the acknowledgement that ends the interruption. After each round every acknowledged row must be there, \
                                once. A client whose server falls silent notices it by its own limit of one second only.";

const ROUNDS: &str = "20";

/// With `fault`, only the tests of this name: `primary frozen`.
pub(super) fn soak(fault: Option<&str>) -> Result<Finding> {
    setup::all()?;
    let program = test::program()?;
    let mut pytest = Command::new(setup::venv().join("bin/python"));
    pytest.args(["-m", "pytest", "-q", "-s", "-p", "no:xdist", &chosen(fault)]);
    pytest.env("ESCALE", program).env("ESCALE_TEST_FAILOVERS", ROUNDS);
    let done = pytest.output().context("cannot start pytest")?;
    let printed = String::from_utf8_lossy(&done.stdout);
    Ok(Finding { text: table(&printed), passed: done.status.success() })
}

/// All tests, or the one of a fault.
fn chosen(fault: Option<&str>) -> String {
    let file = "tests/clients/test_failover.py";
    let test = |fault: &str| {
        if fault.starts_with("standby") {
            "test_primary_goes_on_alone_when_its_standby_is_lost"
        } else {
            "test_instance_fails_over_when_its_primary_is_lost"
        }
    };
    fault.map_or_else(|| file.to_owned(), |fault| format!("{file}::{}[{fault}]", test(fault)))
}

fn table(printed: &str) -> String {
    let mut text =
        String::from("| fault | clients | rounds | median | worst |\n| --- | --- | ---: | ---: | ---: |\n");
    // pytest prints its dots on the same lines.
    for row in printed.lines().filter_map(|line| line.split_once("figure: ")) {
        text.push_str(row.1);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_become_rows() {
        let text = table("noise\n.figure: | primary killed | new clients | 1 | 310 ms | 310 ms |\nend");
        assert!(
            text.ends_with("| ---: |\n| primary killed | new clients | 1 | 310 ms | 310 ms |\n"),
            "{text}"
        );
    }
}

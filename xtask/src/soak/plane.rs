//! Kills of the daemon and of the data plane's process under load.

use super::Finding;
use crate::{setup, test};
use anyhow::{Context, Result};
use std::process::Command;

pub(super) const SHOWS: &str = "Clients on the host and in a task request pages from the load balancer and cached objects from the edge without a pause, half of them with a \
                                new connection for each request. The daemon is killed (SIGKILL) 30 times and started again; no request may fail. Then the data plane's \
                                process is killed six times, three of them without a daemon, and 30 times while \
                                connections are opened, none of which may be refused. Five times another program replaces it under the same load; no request may fail.";

const KILLS: &str = "30";
const UPGRADES: &str = "5";

pub(super) fn soak() -> Result<Finding> {
    setup::all()?;
    let program = test::program()?;
    let mut pytest = Command::new(setup::venv().join("bin/python"));
    pytest.args(["-m", "pytest", "-q", "-s", "-p", "no:xdist", "tests/clients/test_plane.py"]);
    pytest.env("ESCALE", program).env("ESCALE_TEST_KILLS", KILLS).env("ESCALE_TEST_UPGRADES", UPGRADES);
    let done = pytest.output().context("cannot start pytest")?;
    let printed = String::from_utf8_lossy(&done.stdout);
    let is_figure = |line: &&str| {
        ["kills: ", "answers after", "answered after", "upgrade "].iter().any(|word| line.contains(word))
    };
    let figures: Vec<&str> = printed.lines().filter(is_figure).collect();
    let text =
        if figures.is_empty() { "the run did not reach its end".to_owned() } else { figures.join("\n\n") };
    Ok(Finding { text, passed: done.status.success() })
}

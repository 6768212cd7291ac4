//! Kills of the daemon at random points of stack updates.

use super::Finding;
use crate::{setup, test};
use anyhow::{Context, Result};
use std::process::Command;

pub(super) const SHOWS: &str = "A stack of up to seventeen resources is updated at random: properties change in place and by replacement, resources are added and \
                                removed, and four of ten updates fail at their end. The daemon is killed (SIGKILL) once or twice during each and started \
                                again. Each update must end, done or rolled back, and afterwards exactly the stack's resources exist.";

const KILLS: &str = "100";

pub(super) fn soak() -> Result<Finding> {
    setup::all()?;
    let program = test::program()?;
    let mut pytest = Command::new(setup::venv().join("bin/python"));
    pytest.args(["-m", "pytest", "-q", "-s", "-p", "no:xdist", "tests/clients/test_update_kills.py"]);
    pytest.env("ESCALE", program).env("ESCALE_TEST_KILLS", KILLS);
    let done = pytest.output().context("cannot start pytest")?;
    let printed = String::from_utf8_lossy(&done.stdout);
    let figures =
        printed.lines().find(|line| line.contains("kills: ")).unwrap_or("the run did not reach its end");
    Ok(Finding { text: figures.to_owned(), passed: done.status.success() })
}

//! `cargo xtask fuzz`: random inputs for every parser of outside bytes. Optimised, with the development profile's checks of overflows.

use crate::{
    run::{cargo, output, run},
    soak::Finding,
};
use anyhow::{Context, Result};

pub(crate) fn fuzz(arguments: &[&str]) -> Result<()> {
    run(&cargo(), &[&["run", "--quiet", "--profile", "fuzz", "-p", "escale-fuzz", "--"], arguments].concat())
}

/// What the figures show, for docs/reliability.md.
pub(crate) const SHOWS: &str = "Random changes of kept inputs for every parser of bytes from outside (tests/fuzz): none may panic, take two seconds, or break \
                                what must hold for every input. Built with every check of overflows.";

/// 10^6 inputs for each parser: for `cargo xtask soak`.
pub(crate) fn soak() -> Result<Finding> {
    let text = output(&cargo(), &["run", "--quiet", "--profile", "fuzz", "-p", "escale-fuzz"]);
    let text =
        text.context("an input failed: `cargo xtask fuzz` shows it, and it is kept in fuzz/artifacts")?;
    Ok(Finding { text, passed: true })
}

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
pub(crate) const SHOWS: &str = "Every parser of untrusted bytes gets random mutations of its corpus (tests/fuzz). It must not panic or take 2 s, and the \
                                target's own assertions must hold. The build has overflow checks.";

/// 10^6 inputs for each parser: for `cargo xtask soak`.
pub(crate) fn soak() -> Result<Finding> {
    let text = output(&cargo(), &["run", "--quiet", "--profile", "fuzz", "-p", "escale-fuzz"]);
    let text =
        text.context("an input failed: `cargo xtask fuzz` shows it, and it is kept in fuzz/artifacts")?;
    Ok(Finding { text, passed: true })
}

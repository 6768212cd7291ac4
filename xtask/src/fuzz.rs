//! `cargo xtask fuzz`: random inputs for every parser of outside bytes. The development profile, whose checks of overflows find more.

use crate::run::{cargo, run};
use anyhow::Result;

pub(crate) fn fuzz(arguments: &[&str]) -> Result<()> {
    run(&cargo(), &[&["run", "--quiet", "-p", "escale-fuzz", "--"], arguments].concat())
}

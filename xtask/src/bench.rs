//! Measurements, each beside what a user would pick instead, in one run.

use anyhow::{Result, bail};

pub(crate) fn bench(name: &str) -> Result<()> {
    bail!("no measurement is called '{name}'")
}

//! Measurements, each beside what a user would pick instead, in one run. Ratios count: machines are noisy.

mod up;

use anyhow::{Result, bail};

pub(crate) fn bench(name: &str) -> Result<()> {
    match name {
        "up" => up::measure_up(),
        _ => bail!("no measurement is called '{name}'; there is: up"),
    }
}

//! The rules of CONTRIBUTING.md that a program can check.

mod dependencies;
mod directions;
mod files;
pub(crate) mod ratchet;
mod stored;

use anyhow::{Result, bail};

pub(crate) fn all() -> Result<()> {
    let mut faults = directions::check()?;
    faults.extend(dependencies::check()?);
    faults.extend(files::check()?);
    faults.extend(ratchet::check()?);
    faults.extend(stored::check()?);
    for fault in &faults {
        eprintln!("tidy: {fault}");
    }
    match faults.len() {
        0 => Ok(()),
        n => bail!("tidy found {n} faults"),
    }
}

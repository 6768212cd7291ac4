//! The rules of CONTRIBUTING.md that a program can check.

mod directions;
mod files;
mod stored;

use anyhow::{Result, bail};

pub(crate) fn all() -> Result<()> {
    let mut faults = directions::check()?;
    faults.extend(files::check()?);
    faults.extend(stored::check()?);
    for fault in &faults {
        eprintln!("tidy: {fault}");
    }
    match faults.len() {
        0 => Ok(()),
        n => bail!("tidy found {n} faults"),
    }
}

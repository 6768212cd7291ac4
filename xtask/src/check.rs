//! What needs neither root nor network: format, lints, the project's own rules, documentation.

use crate::{
    run::{cargo, run, run_command},
    tidy,
};
use anyhow::Result;
use std::process::Command;

pub(crate) fn all() -> Result<()> {
    let cargo = cargo();
    run(&cargo, &["fmt", "--all", "--check"])?;
    tidy::all()?;
    run(&cargo, &["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "-D", "warnings"])?;
    let mut doc = Command::new(&cargo);
    doc.args(["doc", "--workspace", "--no-deps", "--document-private-items", "--locked", "--quiet"]);
    run_command(doc.env("RUSTDOCFLAGS", "-D warnings").current_dir(crate::run::root()))
}

//! `cargo xtask check`, which needs neither root nor network: format, lints, the project's own rules, documentation.

use crate::{
    run::{cargo, output, run, run_command},
    tidy,
};
use anyhow::{Context, Result};
use std::process::Command;

/// Formats every Rust file of the repository. `cargo fmt` does not find files whose `mod` a macro writes, such as all operations.
pub(crate) fn format(options: &[&str]) -> Result<()> {
    let listed = output("git", &["ls-files", "*.rs"]).context("git ls-files failed")?;
    let files: Vec<&str> = listed.lines().collect();
    run("rustfmt", &[&["--edition", "2024"], options, &files].concat())
}

pub(crate) fn all() -> Result<()> {
    let cargo = cargo();
    format(&["--check"])?;
    tidy::all()?;
    run(&cargo, &["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "-D", "warnings"])?;
    let mut doc = Command::new(&cargo);
    doc.args(["doc", "--workspace", "--no-deps", "--document-private-items", "--locked", "--quiet"]);
    run_command(doc.env("RUSTDOCFLAGS", "-D warnings").current_dir(crate::run::root()))
}

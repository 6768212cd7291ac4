//! All tests, fastest first.

use crate::{
    again, check,
    run::{cargo, root, run, run_command},
    setup,
};
use anyhow::{Context, Result};
use std::{ffi::OsString, path::PathBuf, process::Command};

pub(crate) fn all() -> Result<()> {
    setup::all()?;
    check::all()?;
    build()?;
    let mut tests = Command::new(cargo());
    tests.args(["test", "--workspace", "--locked", "--quiet"]).current_dir(root());
    // Some of them call a Python client: it must be the one of the requirements, not one that happens to be on the machine.
    again::cargo_test(tests.env("PATH", path_with_clients()?))?;
    clients(None)
}

/// Everything at once: to build the package `escale` alone unifies the features of dependencies in another way, and would build many of
/// them a second time.
fn build() -> Result<()> {
    run(&cargo(), &["build", "--workspace", "--all-targets", "--locked"])
}

/// Only the client tests whose name contains `filter`.
pub(crate) fn some(filter: &str) -> Result<()> {
    setup::all()?;
    clients(Some(filter))
}

/// Black box: unmodified clients against the binary.
fn clients(filter: Option<&str>) -> Result<()> {
    build()?;
    let mut pytest = Command::new(setup::venv().join("bin/python"));
    pytest.args(["-m", "pytest", "-q", "--durations=10", "tests/clients"]).current_dir(root());
    // Each process has a cloud of its own, and most of a test is waiting. A file stays in one process, for its shared fixtures.
    pytest.args(["--numprocesses", "2", "--dist", "loadfile"]);
    pytest.args(filter.map(|f| ["-k", f]).into_iter().flatten());
    pytest.env("ESCALE", target().join("debug/escale"));
    match filter {
        None => again::pytest(pytest.arg("--cache-clear")),
        Some(_) => run_command(&mut pytest),
    }
}

fn path_with_clients() -> Result<OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(setup::venv().join("bin")).chain(std::env::split_paths(&path));
    Ok(std::env::join_paths(all)?)
}

/// Where cargo builds to.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into)
}

/// The program under test: the one that `ESCALE` names, otherwise a release build, as users have it.
pub(crate) fn program() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("ESCALE").filter(|given| !given.is_empty()) {
        return std::path::absolute(&given).with_context(|| format!("ESCALE={}", given.display()));
    }
    release()
}

/// Builds what users run.
pub(crate) fn release() -> Result<PathBuf> {
    run(&cargo(), &["build", "--release", "--package", "escale", "--locked"])?;
    Ok(target().join("release/escale"))
}

//! Cargo's own tools, in pinned versions below the target folder.

use crate::{
    run::{cargo, run},
    test,
};
use anyhow::{Context, Result};
use std::path::PathBuf;

/// The program `name` of the package of that name. Installs it if this version is missing.
pub(crate) fn tool(name: &str, version: &str) -> Result<PathBuf> {
    let folder = test::target().join("tools");
    let text = folder.to_str().context("the target folder's path is not UTF-8")?;
    run(&cargo(), &["install", name, "--locked", "--quiet", "--version", version, "--root", text])?;
    Ok(folder.join("bin").join(name))
}

//! The folders of the edge's cache. Each process has its own, because one that retires still reads from it.

use crate::home::Home;
use anyhow::{Context, Result};
use std::{fs, path::PathBuf};

const PREFIX: &str = "cache-";

/// The folder for this process. Deletes those of processes that have ended.
pub(crate) fn folder(home: &Home) -> Result<PathBuf> {
    let all = home.private_folder("cdn")?;
    let entries = fs::read_dir(&all).with_context(|| format!("cannot list {}", all.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if !process.is_some_and(|process| fs::exists(format!("/proc/{process}")).unwrap_or(false)) {
            crate::planes::remove(&entry.path())?;
        }
    }
    Ok(all.join(format!("{PREFIX}{}", std::process::id())))
}

//! Which program a process runs.

use std::{fs, os::unix::fs::MetadataExt};

/// Identifies this process's program, also after its file was replaced or deleted. Both sides of the socket must have the same,
/// because the messages may differ between any two programs.
pub fn build() -> String {
    let version = env!("CARGO_PKG_VERSION");
    // The link refers to the file that this process runs, whatever its path refers to by now.
    match fs::metadata("/proc/self/exe") {
        Ok(file) => format!("{version}-{}-{}.{}", file.size(), file.mtime(), file.mtime_nsec()),
        Err(_) => version.to_owned(),
    }
}

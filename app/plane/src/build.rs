//! Which program a process runs, and with which settings.

use std::{fs, os::unix::fs::MetadataExt};

/// Identifies this process's program, also after its file was replaced or deleted. Both sides of the socket must have the same,
/// because the messages may differ between any two programs.
/// `settings` are those with which it started and that no message changes.
pub(crate) fn build(settings: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    // The link refers to the file that this process runs, whatever its path refers to by now.
    match fs::metadata("/proc/self/exe") {
        Ok(file) => format!("{version}-{}-{}.{} {settings}", file.size(), file.mtime(), file.mtime_nsec()),
        Err(_) => format!("{version} {settings}"),
    }
}

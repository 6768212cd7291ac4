//! The search path for this machine's programs.

use anyhow::{Context, Result};
use std::{ffi::OsString, os::unix::process::CommandExt, path::PathBuf, process::Command};

/// Where Debian and Ubuntu install the programs that the cloud uses: nft, conntrack, crun, setsid.
const KNOWN: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Adds missing folders to `PATH`. It lacks the sbin folders after `su`, and may be empty in a service. This program then
/// executes itself again with the complete `PATH`, so that it and its children search the same folders.
pub(crate) fn complete() -> Result<()> {
    let Some(path) = completed(std::env::var_os("PATH").unwrap_or_default()) else { return Ok(()) };
    let this = std::env::current_exe().context("cannot find this program's own file")?;
    let failed = Command::new(this).args(std::env::args_os().skip(1)).env("PATH", path).exec();
    Err(failed).context("cannot execute this program again with a complete PATH")
}

/// The search path with missing folders added; `None` if none is missing.
fn completed(path: OsString) -> Option<OsString> {
    let mut folders: Vec<PathBuf> =
        std::env::split_paths(&path).filter(|folder| !folder.as_os_str().is_empty()).collect();
    let there = folders.len();
    for known in KNOWN.map(PathBuf::from) {
        if !folders.contains(&known) {
            folders.push(known);
        }
    }
    // `join_paths` fails only for folders with a colon, and folders from a search path have none.
    (folders.len() > there).then(|| std::env::join_paths(folders).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_folders_are_appended() {
        for (path, whole) in [
            ("", Some("/usr/sbin:/usr/bin:/sbin:/bin")),
            ("/own:/bin:/usr/bin", Some("/own:/bin:/usr/bin:/usr/sbin:/sbin")),
            ("/bin:/sbin:/usr/bin:/usr/sbin:/own", None),
        ] {
            assert_eq!(completed(path.into()), whole.map(OsString::from), "{path}");
        }
    }
}

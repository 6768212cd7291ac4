//! Where this machine's programs are looked for.

use anyhow::{Context, Result};
use std::{ffi::OsString, os::unix::process::CommandExt, path::PathBuf, process::Command};

/// Where Debian and Ubuntu put what the cloud stands on: nft, conntrack, crun, setsid.
const KNOWN: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Root's `PATH` lacks the sbin folders when it came through `su`, and a service's may be empty. Then this program becomes
/// itself again with a whole one, so that it and all that it starts look in the same places.
pub(crate) fn complete() -> Result<()> {
    let Some(path) = completed(std::env::var_os("PATH").unwrap_or_default()) else { return Ok(()) };
    let this = std::env::current_exe().context("cannot find this program's own file")?;
    let failed = Command::new(this).args(std::env::args_os().skip(1)).env("PATH", path).exec();
    Err(failed).context("cannot start this program again with a whole PATH")
}

/// A search path with what it lacks; `None`: it lacks nothing.
fn completed(path: OsString) -> Option<OsString> {
    let mut folders: Vec<PathBuf> =
        std::env::split_paths(&path).filter(|folder| !folder.as_os_str().is_empty()).collect();
    let there = folders.len();
    for known in KNOWN.map(PathBuf::from) {
        if !folders.contains(&known) {
            folders.push(known);
        }
    }
    // Folders that were in a search path can be in one again.
    (folders.len() > there).then(|| std::env::join_paths(folders).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lacks_comes_last() {
        for (path, whole) in [
            ("", Some("/usr/sbin:/usr/bin:/sbin:/bin")),
            ("/own:/bin:/usr/bin", Some("/own:/bin:/usr/bin:/usr/sbin:/sbin")),
            ("/bin:/sbin:/usr/bin:/usr/sbin:/own", None),
        ] {
            assert_eq!(completed(path.into()), whole.map(OsString::from), "{path}");
        }
    }
}

//! Checks whether this kernel has overlayfs, by mounting one.
//!
//! `/proc/filesystems` cannot answer that: a kernel that has overlayfs as a module lists it only after its first use.

use escale_base::packages::{self, Package};
use nix::{
    errno::Errno,
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};
use std::{fs, io, path::Path, process::Command};

/// The overlay is mounted over this folder, in a mount namespace that ends with the probe. Every system has the folder.
const PLACE: &str = "/proc";

/// Mounts an overlay in a private mount namespace; loads the module if the kernel does not do so by itself. The error says why
/// containers cannot have a root here, and what to do. Needs root.
pub fn probe() -> Result<(), String> {
    let first = match try_mount() {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    // The kernel runs modprobe itself for an unknown file system, but only the program at /proc/sys/kernel/modprobe.
    let loaded = match Command::new("modprobe").arg("overlay").output() {
        Ok(output) if output.status.success() => return try_mount().map_err(|e| refused(&e)),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            format!("modprobe is not installed; install it: {}", packages::install(Package::Kmod))
        }
        Err(e) => e.to_string(),
    };
    Err(format!("{}; modprobe overlay: {loaded}", refused(&first)))
}

fn refused(error: &io::Error) -> String {
    let no_such = Errno::ENODEV as i32;
    match error.raw_os_error() {
        Some(code) if code == no_such => {
            "the kernel has no overlayfs, which containers need for their root".to_owned()
        }
        _ => format!(
            "an overlay file system, which containers need for their root, cannot be mounted: {error}"
        ),
    }
}

fn try_mount() -> io::Result<()> {
    // On a thread of its own: only that thread enters the namespace, which ends with it.
    let tried = std::thread::Builder::new().name("probe-overlay".into()).spawn(|| {
        unshare(CloneFlags::CLONE_NEWNS)?;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>)?;
        mount(Some("tmpfs"), PLACE, Some("tmpfs"), MsFlags::empty(), None::<&str>)?;
        let at = |name: &str| Path::new(PLACE).join(name);
        for name in ["lower", "upper", "work", "root"] {
            fs::create_dir(at(name))?;
        }
        let options = format!("lowerdir={PLACE}/lower,upperdir={PLACE}/upper,workdir={PLACE}/work");
        mount(Some("overlay"), &at("root"), Some("overlay"), MsFlags::empty(), Some(options.as_str()))?;
        fs::write(at("root").join("file"), b"written through the overlay")
    });
    tried?.join().unwrap_or_else(|_| Err(io::Error::other("the thread that tries it panicked")))
}

#[cfg(test)]
mod tests {
    #[test]
    fn probe_mounts_an_overlay_and_leaves_none() {
        let mounts = || std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let before = mounts();
        assert_eq!(super::probe(), Ok(()));
        assert_eq!(mounts(), before);
    }
}

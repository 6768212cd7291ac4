//! Measures how much the containers of a group have written, against their limit.
//!
//! Files are measured from outside, periodically, which works on every file system. The cost is bounded: the pause
//! between two measurements grows with the duration of the last one. A group over its limit is killed, since it would
//! otherwise fill the disk for all others.

use crate::{driver::Group, host::Host, limits, seen::StopReason};
use rustix::{
    fs::{self, AtFlags, Dir, FileType, Mode, OFlags, Stat},
    io::Errno,
};
use std::{
    collections::HashSet,
    ffi::CString,
    io,
    os::{fd::OwnedFd, unix::fs::MetadataExt},
    path::Path,
    sync::Arc,
    time::Duration,
};

/// Runs until it is aborted with the driver of its group, or the group exceeds its limit.
pub(crate) async fn watch<H: Host>(group: Arc<Group<H>>, limit_bytes: u64) {
    loop {
        let begun = group.clock.now();
        let (host, spec) = (Arc::clone(&group.host), group.spec.clone());
        let measured = tokio::task::spawn_blocking(move || host.storage_used(&spec)).await;
        match measured {
            Ok(Ok(used_bytes)) if used_bytes > limit_bytes => {
                match group.stop(StopReason::StorageFull { used_bytes, limit_bytes }, true) {
                    Ok(()) => return,
                    Err(e) => {
                        tracing::error!(
                            group = group.spec.id,
                            "the group exceeds its storage limit and cannot be stopped: {e}"
                        )
                    }
                }
            }
            Ok(Ok(_)) => {}
            Ok(Err(e)) => tracing::warn!(group = group.spec.id, "the storage cannot be measured: {e}"),
            Err(e) => {
                tracing::error!(group = group.spec.id, "the measurement of the storage was aborted: {e}")
            }
        }
        let took_ms = u64::try_from(group.clock.now().since_ms(begun)).unwrap_or(0);
        let pause_ms = took_ms.saturating_mul(limits::STORAGE_REST).max(limits::STORAGE_EVERY_MS);
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    }
}

/// Adds up the space that files take on the disk, each file once.
#[derive(Default)]
pub(crate) struct Measure {
    bytes: u64,
    /// Files with several names, by device and inode number.
    counted: HashSet<(u64, u64)>,
}

impl Measure {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds a directory and everything below it. Containers may change it meanwhile: each directory is opened relative to its
    /// parent and never through a link, so the measurement cannot be led elsewhere. A missing directory counts as empty.
    pub(crate) fn add_tree(&mut self, path: &Path) -> io::Result<()> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = match fs::open(path, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(()),
            opened => opened?,
        };
        let device = fs::fstat(&root)?.st_dev;
        // The path from the top: each directory with its subdirectories still to be visited.
        let mut open = vec![self.add_directory(root)?];
        while let Some((directory, ahead)) = open.last_mut() {
            let Some(name) = ahead.pop() else {
                open.pop();
                continue;
            };
            let below = match fs::openat(&*directory, name.as_c_str(), flags, Mode::empty()) {
                // The entry was removed or replaced since its name was read.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue,
                opened => opened?,
            };
            // A mount inside the tree: its space belongs to another file system.
            if fs::fstat(&below)?.st_dev != device {
                continue;
            }
            if open.len() >= limits::STORAGE_DEPTH {
                return Err(io::Error::other(format!(
                    "directories lie more than {} deep",
                    limits::STORAGE_DEPTH
                )));
            }
            open.push(self.add_directory(below)?);
        }
        Ok(())
    }

    /// Counts the entries of a directory; returns its subdirectories.
    fn add_directory(&mut self, directory: OwnedFd) -> io::Result<(OwnedFd, Vec<CString>)> {
        self.add(&fs::fstat(&directory)?);
        let mut ahead = Vec::new();
        for entry in Dir::read_from(&directory)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let stat = match fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                // Removed since its name was read.
                Err(Errno::NOENT) => continue,
                stat => stat?,
            };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => ahead.push(name.to_owned()),
                _ => self.add(&stat),
            }
        }
        Ok((directory, ahead))
    }

    fn add(&mut self, stat: &Stat) {
        let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if is_directory || stat.st_nlink == 1 || self.counted.insert((stat.st_dev, stat.st_ino)) {
            self.bytes += u64::try_from(stat.st_blocks).unwrap_or(0) * 512;
        }
    }

    /// Adds the files that a process has open and that have no name any more: they take space until it closes them.
    pub(crate) fn add_unnamed(&mut self, pid: i32, own_device: u64) {
        let process = Path::new("/proc").join(pid.to_string());
        let Ok(root) = process.join("root/").metadata() else { return };
        // The process or any of its descriptors may have ended meanwhile.
        for entry in std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten() {
            let Ok(file) = entry.path().metadata() else { continue };
            let is_on_disk = file.dev() == root.dev() || file.dev() == own_device;
            if file.is_file()
                && file.nlink() == 0
                && is_on_disk
                && self.counted.insert((file.dev(), file.ino()))
            {
                self.bytes += file.blocks() * 512;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn measured(path: &Path) -> u64 {
        let mut measure = Measure::default();
        measure.add_tree(path).unwrap();
        measure.bytes()
    }

    fn write(path: &Path, bytes: usize) -> std::fs::File {
        use std::io::Write;
        let mut file = std::fs::File::create(path).unwrap();
        file.write_all(&vec![1; bytes]).unwrap();
        file.sync_all().unwrap();
        file
    }

    #[test]
    fn counts_each_file_once_and_follows_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        std::fs::create_dir_all(tree.join("a/b")).unwrap();
        let empty = measured(&tree);
        let outside = dir.path().join("outside");
        write(&outside, 4 << 20);
        symlink(&outside, tree.join("link")).unwrap();
        symlink(dir.path(), tree.join("a/up")).unwrap();
        assert!(measured(&tree) < empty + (64 << 10), "links must not be followed");
        write(&tree.join("a/b/file"), 1 << 20);
        std::fs::hard_link(tree.join("a/b/file"), tree.join("twice")).unwrap();
        let grown = measured(&tree) - empty;
        assert!(((1 << 20)..(1 << 20) + (64 << 10)).contains(&grown), "{grown}");
        assert_eq!(measured(&dir.path().join("missing")), 0);
    }

    #[test]
    fn counts_files_that_are_open_and_have_no_name() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("file"), dir.path().join("named"));
        let (_held, _named) = (write(&path, 1 << 20), write(&other, 1 << 20));
        let device = dir.path().metadata().unwrap().dev();
        let me = i32::try_from(std::process::id()).unwrap();
        let unnamed = || {
            let mut measure = Measure::default();
            measure.add_unnamed(me, device);
            measure.bytes()
        };
        let before = unnamed();
        std::fs::remove_file(&path).unwrap();
        assert!(unnamed() >= before + (1 << 20));
    }

    #[test]
    fn a_tree_that_is_too_deep_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let mut at = fs::open(dir.path(), OFlags::PATH, Mode::empty()).unwrap();
        for _ in 0..=limits::STORAGE_DEPTH {
            fs::mkdirat(&at, "d", Mode::from_raw_mode(0o700)).unwrap();
            at = fs::openat(&at, "d", OFlags::PATH, Mode::empty()).unwrap();
        }
        let error = Measure::default().add_tree(dir.path()).unwrap_err();
        assert!(error.to_string().contains("deep"), "{error}");
    }
}

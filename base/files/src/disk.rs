//! Names the disk that is full.

use escale_base::PlaneError;
use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
};

/// A file system that just refused a write has less free space than this, apart from what is reserved for root.
const FULL_BELOW_BYTES: u64 = 16 * 1024 * 1024;

/// Whether "no space left on device" or "disk quota exceeded" is among an error's causes.
pub fn is_full(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>()
            && matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        {
            return true;
        }
        #[cfg(feature = "sqlite")]
        if error.downcast_ref::<rusqlite::Error>().is_some_and(is_full_sqlite) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// SQLite reports FULL when a write finds no space, and an I/O error of its own when the index of its log cannot grow.
///
/// Source: <https://www.sqlite.org/rescode.html#ioerr_shmsize>
#[cfg(feature = "sqlite")]
fn is_full_sqlite(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|e| e.extended_code);
    code.is_some_and(|c| c & 0xff == rusqlite::ffi::SQLITE_FULL || c == rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
}

/// A sentence about the disk that holds `path`, for an error of which [`is_full`] is true.
pub fn full(path: &Path) -> String {
    match Disk::of(path) {
        Some(disk) => disk.sentence(),
        None => {
            format!("the disk that holds {} is full; free some space on it and try again", path.display())
        }
    }
}

/// The first of some paths whose disk is almost full: for errors that do not name a path.
pub fn full_among<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Option<String> {
    let disks = paths.into_iter().filter_map(Disk::of);
    let is_full = |d: &Disk| d.free_bytes < FULL_BELOW_BYTES || d.free_files == Some(0);
    disks.into_iter().find(is_full).map(|d| d.sentence())
}

/// `write(…).on_disk(path, || "save the group".into())?`: an error of the machine, which names the disk when it is full.
pub trait OnDisk<T> {
    fn on_disk(self, path: &Path, what: impl FnOnce() -> String) -> Result<T, PlaneError>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> OnDisk<T> for Result<T, E> {
    fn on_disk(self, path: &Path, what: impl FnOnce() -> String) -> Result<T, PlaneError> {
        self.map_err(|error| plane_error(path, what(), error))
    }
}

/// See [`OnDisk`].
pub fn plane_error(path: &Path, what: String, error: impl Into<Box<dyn Error + Send + Sync>>) -> PlaneError {
    let error = error.into();
    if is_full(error.as_ref()) {
        PlaneError::machine(format!("cannot {what}: {}", full(path))).because(error)
    } else {
        PlaneError::machine(format!("cannot {what}")).because(error)
    }
}

/// A mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// The mount point.
    pub mount: PathBuf,
    /// The kernel's name of the type: `ext4`.
    pub kind: String,
    /// Mount options of this mount and of the file system.
    pub options: Vec<String>,
    pub device: String,
    pub free_bytes: u64,
    /// `None` where files are not counted, as on btrfs.
    pub free_files: Option<u64>,
    path: PathBuf,
}

impl Disk {
    /// The file system that holds a path. The path need not exist: the nearest existing folder above it decides.
    pub fn of(path: &Path) -> Option<Disk> {
        let (real, stat) = path.ancestors().find_map(|p| Some((p, rustix::fs::stat(p).ok()?)))?;
        let free = rustix::fs::statvfs(real).ok()?;
        let number = format!("{}:{}", rustix::fs::major(stat.st_dev), rustix::fs::minor(stat.st_dev));
        let real = real.canonicalize().ok()?;
        let table = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
        let mounts = table.lines().filter_map(Mount::read);
        // btrfs gives its subvolumes device numbers that the mount table does not contain; there the longest path decides.
        let above = mounts.filter(|m| real.starts_with(&m.point));
        let mount = above.max_by_key(|m| (m.number == number, m.point.as_os_str().len()))?;
        Some(Disk {
            mount: mount.point,
            kind: mount.kind,
            options: mount.options,
            device: mount.device,
            free_bytes: free.f_bavail.saturating_mul(free.f_frsize),
            free_files: (free.f_files > 0).then_some(free.f_favail),
            path: path.to_owned(),
        })
    }

    fn sentence(&self) -> String {
        let Disk { mount, kind, free_bytes, path, .. } = self;
        let (mount, path) = (mount.display(), path.display());
        match self.free_files {
            Some(0) if *free_bytes > 0 => format!(
                "the file system {mount} ({kind}), which holds {path}, can take no more files (it has no free inode); \
                 remove some files and try again"
            ),
            _ => format!(
                "the disk mounted at {mount} ({kind}), which holds {path}, is full: {free_bytes} bytes are free; free some \
                 space on it and try again"
            ),
        }
    }
}

/// A line of mountinfo.
struct Mount {
    number: String,
    point: PathBuf,
    kind: String,
    device: String,
    options: Vec<String>,
}

impl Mount {
    /// `36 35 98:0 /root /point rw,noatime shared:1 - ext4 /dev/root rw,prjquota`
    ///
    /// Source: <https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html>
    fn read(line: &str) -> Option<Mount> {
        let (own, of_file_system) = line.split_once(" - ")?;
        let mut own = own.split(' ').skip(2);
        let (number, _root, point) = (own.next()?, own.next()?, own.next()?);
        let own_options = own.next()?;
        let mut rest = of_file_system.split(' ');
        let (kind, device) = (rest.next()?, rest.next()?);
        let options = own_options.split(',').chain(rest.next().unwrap_or_default().split(','));
        Some(Mount {
            number: number.to_owned(),
            point: PathBuf::from(unescape(point)),
            kind: kind.to_owned(),
            device: unescape(device),
            options: options.filter(|o| !o.is_empty()).map(str::to_owned).collect(),
        })
    }
}

/// The table writes blanks, tabs, line ends and backslashes as three octal digits.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_line_of_the_mount_table() {
        let line = "36 35 8:1 / /mnt/my\\040disk rw,noatime shared:1 master:2 - ext4 /dev/sda1 rw,prjquota";
        let mount = Mount::read(line).unwrap();
        assert_eq!((mount.number.as_str(), mount.kind.as_str()), ("8:1", "ext4"));
        assert_eq!(mount.point, Path::new("/mnt/my disk"));
        assert_eq!(mount.device, "/dev/sda1");
        assert_eq!(mount.options, ["rw", "noatime", "rw", "prjquota"]);
        assert!(Mount::read("nonsense").is_none());
    }

    #[test]
    fn finds_the_disk_of_a_path_that_does_not_exist_yet() {
        let disk = Disk::of(Path::new("/proc/self/not/there")).unwrap();
        assert_eq!((disk.mount.as_path(), disk.kind.as_str()), (Path::new("/proc"), "proc"));
    }

    #[test]
    fn recognises_a_full_disk_behind_other_errors() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] io::Error);
        for (number, expected) in [(28, true), (122, true), (13, false)] {
            let error = Outer(io::Error::from_raw_os_error(number));
            assert_eq!(is_full(&error), expected, "{number}");
        }
        let error =
            Err::<(), _>(io::Error::from_raw_os_error(28)).on_disk(Path::new("/"), || "save x".into());
        let text = error.unwrap_err().to_string();
        assert!(text.starts_with("cannot save x: the disk mounted at / ("), "{text}");
        assert!(text.contains("bytes are free"), "{text}");
    }
}

//! Project quotas: the kernel itself refuses what a group writes above its limit, with an error at the write.
//!
//! ext4 and xfs support them when they are mounted with `prjquota`. All directories that the containers of a group write to
//! belong to one project, new files inherit it, and the project has the limit. Root may exceed a quota (CAP_SYS_RESOURCE);
//! overlayfs and containers give that right up. A program that owns a file may move it to another project, so groups are
//! measured as well (see `storage.rs`).
//!
//! Sources: <https://man7.org/linux/man-pages/man2/quotactl.2.html>, and `struct fsxattr` in the kernel's `include/uapi/linux/fs.h`.

use escale_files::disk::Disk;
use nix::libc;
use std::{fs::File, io, os::fd::AsRawFd, path::Path};

/// How the storage limit of groups is enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accounting {
    /// The kernel refuses writes above the limit.
    ProjectQuota,
    /// A group that is measured above the limit is killed.
    Measured,
}

/// The method for groups below a directory. It need not exist yet.
pub fn storage_accounting(dir: &Path) -> Accounting {
    match Quotas::of(dir) {
        Some(_) => Accounting::ProjectQuota,
        None => Accounting::Measured,
    }
}

/// The project quotas of a file system.
pub(crate) struct Quotas(File);

/// A project: everything that one group writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Project(u32);

const Q_GETQUOTA: u32 = 0x80_0007;
const Q_SETQUOTA: u32 = 0x80_0008;
const PRJQUOTA: u32 = 2;
/// The unit of the kernel's limits.
const BLOCK_BYTES: u64 = 1024;
/// For `dqb_valid`: sets only the limits of space.
const QIF_BLIMITS: u32 = 1;

const FS_IOC_FSGETXATTR: libc::c_ulong = 0x801c_581f;
const FS_IOC_FSSETXATTR: libc::c_ulong = 0x401c_5820;
/// New files inherit the project of their directory.
const FS_XFLAG_PROJINHERIT: u32 = 0x200;

#[repr(C)]
#[derive(Default)]
struct FsXattr {
    xflags: u32,
    extsize: u32,
    nextents: u32,
    projid: u32,
    cowextsize: u32,
    pad: [u8; 8],
}

impl Project {
    /// Derived from the names, so it is the same after a restart without a stored list. Two groups with the same number would
    /// count towards each other's limit; with a thousand groups the probability is one in a thousand.
    pub(crate) fn of(tag: &str, group: &str) -> Project {
        // FNV-1a, the hash that the tag is made with too.
        let hash = tag
            .bytes()
            .chain([b'/'])
            .chain(group.bytes())
            .fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        // Outside of the range of small numbers, which people and other programs use.
        Project((hash as u32 & 0x3fff_ffff) | 0x4000_0000)
    }
}

impl Quotas {
    /// The quotas of the file system that holds a directory, if it has them and enforces them.
    pub(crate) fn of(dir: &Path) -> Option<Quotas> {
        let disk = Disk::of(dir)?;
        let enforced = disk.options.iter().any(|option| option == "prjquota" || option == "pquota");
        if !enforced || !matches!(disk.kind.as_str(), "ext4" | "xfs") {
            return None;
        }
        let quotas = Quotas(File::open(disk.mount).ok()?);
        // Kernels before 5.14 have no quotactl_fd.
        quotas.control(Q_GETQUOTA, Project(0), &mut unset()).ok()?;
        Some(quotas)
    }

    /// The limit of all directories of a project together; 0: unlimited.
    pub(crate) fn limit(&self, project: Project, bytes: u64) -> io::Result<()> {
        let mut limits = unset();
        limits.dqb_bhardlimit = bytes.div_ceil(BLOCK_BYTES);
        limits.dqb_bsoftlimit = limits.dqb_bhardlimit;
        limits.dqb_valid = QIF_BLIMITS;
        self.control(Q_SETQUOTA, project, &mut limits)
    }

    /// Adds an empty directory, and everything that is later made in it, to a project.
    pub(crate) fn mark(&self, dir: &Path, project: Project) -> io::Result<()> {
        let dir = File::open(dir)?;
        let mut attributes = FsXattr::default();
        // SAFETY: the call fills a `struct fsxattr`, which FsXattr is, on an open descriptor.
        check(unsafe { libc::ioctl(dir.as_raw_fd(), FS_IOC_FSGETXATTR as _, &raw mut attributes) })?;
        attributes.projid = project.0;
        attributes.xflags |= FS_XFLAG_PROJINHERIT;
        // SAFETY: the call reads a `struct fsxattr`, which FsXattr is, on an open descriptor.
        check(unsafe { libc::ioctl(dir.as_raw_fd(), FS_IOC_FSSETXATTR as _, &raw const attributes) })
    }

    fn control(&self, command: u32, project: Project, limits: &mut libc::dqblk) -> io::Result<()> {
        let command = command << 8 | PRJQUOTA;
        // SAFETY: both commands take a `struct if_dqblk`, which dqblk is, and keep no pointer to it.
        let done = unsafe {
            libc::syscall(libc::SYS_quotactl_fd, self.0.as_raw_fd(), command, project.0, &raw mut *limits)
        };
        check(done as i32)
    }
}

/// No limits, and none of them valid.
fn unset() -> libc::dqblk {
    libc::dqblk {
        dqb_bhardlimit: 0,
        dqb_bsoftlimit: 0,
        dqb_curspace: 0,
        dqb_ihardlimit: 0,
        dqb_isoftlimit: 0,
        dqb_curinodes: 0,
        dqb_btime: 0,
        dqb_itime: 0,
        dqb_valid: 0,
    }
}

fn check(done: i32) -> io::Result<()> {
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::mount::{MntFlags, MsFlags, mount, umount2};
    use std::io::Write;

    #[test]
    fn project_numbers_are_stable_and_outside_the_small_numbers() {
        assert_eq!(Project::of("tag", "g"), Project::of("tag", "g"));
        assert_ne!(Project::of("tag", "g"), Project::of("tag", "h"));
        assert_ne!(Project::of("a", "b/c"), Project::of("a/b", "d"));
        for group in 0..1000 {
            let Project(number) = Project::of("tag", &group.to_string());
            assert!((0x4000_0000..0x8000_0000).contains(&number), "{number:x}");
        }
    }

    /// On a file system that is mounted with `prjquota`: `ESCALE_QUOTA_DIR=/mnt/x cargo test -p escale-containers quota`.
    #[test]
    #[ignore = "needs a file system with project quotas"]
    fn the_kernel_refuses_what_is_above_the_limit() {
        let dir = std::env::var_os("ESCALE_QUOTA_DIR")
            .expect("ESCALE_QUOTA_DIR names a directory on such a file system");
        let dir = tempfile::tempdir_in(dir).unwrap();
        assert_eq!(storage_accounting(dir.path()), Accounting::ProjectQuota);
        let quotas = Quotas::of(dir.path()).unwrap();
        let project = Project::of("test", &std::process::id().to_string());
        quotas.limit(project, 4 << 20).unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["upper", "work", "lower", "merged"] {
            std::fs::create_dir(at(name)).unwrap();
        }
        std::fs::write(at("lower/copied-up"), vec![1; 100_000]).unwrap();
        for marked in ["upper", "work"] {
            quotas.mark(&at(marked), project).unwrap();
        }
        // Like the root of a container: overlayfs writes without root's right to exceed a quota.
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            at("lower").display(),
            at("upper").display(),
            at("work").display()
        );
        let merged = at("merged");
        mount(Some("overlay"), &merged, Some("overlay"), MsFlags::empty(), Some(options.as_str())).unwrap();
        std::fs::create_dir(merged.join("below")).unwrap();
        let mut file = File::create(merged.join("below/file")).unwrap();
        let mut written = 0;
        let error = loop {
            match file.write_all(&[1; 65536]).and_then(|()| file.sync_all()) {
                Ok(()) => written += 65536,
                Err(error) => break error,
            }
            assert!(written < 16 << 20, "no write was refused");
        };
        assert!(escale_files::disk::is_full(&error), "{error:?}");
        assert!(((3 << 20)..=(4 << 20)).contains(&written), "{written}");
        let copy_up = || File::options().append(true).open(merged.join("copied-up"));
        copy_up().unwrap_err();
        file.set_len(0).unwrap();
        copy_up().unwrap();
        std::fs::rename(merged.join("copied-up"), merged.join("below/moved")).unwrap();
        std::fs::write(dir.path().join("outside"), vec![1; 8 << 20]).unwrap();
        quotas.limit(project, 0).unwrap();
        std::fs::write(merged.join("more"), vec![1; 8 << 20]).unwrap();
        drop(file);
        umount2(&merged, MntFlags::MNT_DETACH).unwrap();
    }
}

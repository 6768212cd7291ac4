//! Unpacks one layer into a directory of its own, in overlayfs's format.
//!
//! The kernel resolves every path inside that directory (openat2 with RESOLVE_IN_ROOT): neither `..` nor a
//! symbolic link in the layer can leave it.

use crate::{
    image::{Compression, Layer},
    limits,
};
use escale_base::{PlaneError, error::Context};
use escale_files::disk;
use flate2::read::MultiGzDecoder;
use rustix::{
    fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags, XattrFlags},
    io::Errno,
};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{self, BufReader, Read},
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Component, Path, PathBuf},
};
use tar::{Entry, EntryType};

/// Unpacks `layer` into the empty directory `into` and verifies the blob's digest at the same time.
pub(crate) fn unpack(layer: &Layer, into: &Path) -> Result<(), PlaneError> {
    let name = &layer.hex;
    let file = File::open(&layer.blob).machine(|| format!("open the blob of layer sha256:{name}"))?;
    let mut hashed = Hashed { inner: BufReader::with_capacity(256 * 1024, file), hash: Sha256::new() };
    let root = open_root(into).machine(|| format!("open the directory of layer sha256:{name}"))?;
    let mut work = Unpack { root, times: vec![], entries: 0 };
    let done = match layer.compression {
        Compression::Plain => work.all(&mut hashed),
        Compression::Gzip => work.all(MultiGzDecoder::new(&mut hashed)),
        Compression::Zstd => zstd(&mut hashed).and_then(|decoder| work.all(decoder)),
    };
    done.map_err(|e| {
        if disk::is_full(&e) {
            disk::plane_error(into, format!("unpack layer sha256:{name}"), e)
        } else {
            PlaneError::asked(format!("layer sha256:{name} cannot be unpacked")).because(e)
        }
    })?;
    // The decoder may stop before the end of the blob; the digest covers all of it.
    io::copy(&mut hashed, &mut io::sink()).machine(|| format!("read layer sha256:{name}"))?;
    let found = hex::encode(hashed.hash.finalize());
    if &found == name {
        Ok(())
    } else {
        Err(PlaneError::asked(format!(
            "the blob of layer sha256:{name} is damaged (its content is sha256:{found}); push the image again"
        )))
    }
}

/// A decoder of all frames, which refuses those that need more than the window that every decoder must support.
///
/// Source: <https://www.rfc-editor.org/rfc/rfc8878#name-window-descriptor>
fn zstd<R: Read>(reader: R) -> io::Result<impl Read> {
    let mut decoder = zstd::Decoder::new(reader)?;
    decoder.window_log_max(limits::ZSTD_WINDOW_LOG)?;
    Ok(decoder)
}

struct Hashed<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.hash.update(&buf[..n]);
        Ok(n)
    }
}

/// Opens a directory as the root of all further look-ups.
pub(crate) fn open_root(path: &Path) -> io::Result<OwnedFd> {
    Ok(fs::open(path, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Opens `path` inside `root`; links are resolved as the container would.
pub(crate) fn open_in(root: impl AsFd, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    Ok(fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::IN_ROOT)?)
}

/// Creates the directory `path` inside `root` with all its parents, and opens it.
pub(crate) fn make_dirs(root: impl AsFd, path: &Path) -> io::Result<OwnedFd> {
    let mut at = PathBuf::new();
    let dir = OFlags::DIRECTORY | OFlags::RDONLY;
    let mut open = open_in(&root, &at, dir)?;
    for part in clean(path)?.components() {
        at.push(part);
        open = match open_in(&root, &at, dir) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let mode = Mode::from_raw_mode(0o755);
                fs::mkdirat(&open, part.as_os_str(), mode).map_err(|e| match e {
                    // The name exists, and yet cannot be opened.
                    Errno::EXIST => io::Error::other(format!("'{}' is a dangling link", at.display())),
                    other => other.into(),
                })?;
                let made = open_in(&root, &at, dir)?;
                // The daemon's umask must not apply to the container's files.
                fs::fchmod(&made, mode)?;
                made
            }
            other => other?,
        };
    }
    Ok(open)
}

/// A member's path without root and `.`; one with `..` is refused, because it has no legitimate use.
fn clean(path: &Path) -> io::Result<PathBuf> {
    let mut cleaned = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => cleaned.push(name),
            Component::RootDir | Component::CurDir => {}
            _ => {
                return Err(io::Error::other(format!(
                    "the path '{}' leads out of the layer",
                    path.display()
                )));
            }
        }
    }
    Ok(cleaned)
}

struct Unpack {
    root: OwnedFd,
    /// Times of directories, set last: filling a directory changes its time.
    times: Vec<(PathBuf, u64)>,
    entries: u64,
}

impl Unpack {
    fn all(&mut self, reader: impl Read) -> io::Result<()> {
        let mut archive = tar::Archive::new(reader.take(limits::LAYER_UNPACKED_BYTES));
        for entry in archive.entries()? {
            self.entries += 1;
            if self.entries > limits::LAYER_ENTRIES {
                return Err(io::Error::other(format!("it has more than {} entries", limits::LAYER_ENTRIES)));
            }
            let mut entry = entry?;
            let path = clean(&entry.path()?)?;
            let placed = self.one(&mut entry, &path);
            placed.map_err(|e| io::Error::new(e.kind(), format!("'{}': {e}", path.display())))?;
        }
        // The stream continues after the end of the archive: the rest belongs to the digest.
        io::copy(&mut archive.into_inner(), &mut io::sink())?;
        for (path, mtime) in std::mem::take(&mut self.times) {
            let dir = open_in(&self.root, &path, OFlags::DIRECTORY | OFlags::RDONLY)?;
            fs::futimens(dir, &stamp(mtime))?;
        }
        Ok(())
    }

    fn one<R: Read>(&mut self, entry: &mut Entry<'_, R>, path: &Path) -> io::Result<()> {
        let Some(name) = path.file_name().map(|n| n.to_owned()) else {
            let dir = open_in(&self.root, path, OFlags::DIRECTORY | OFlags::RDONLY)?;
            return own(&dir, entry);
        };
        let parent = make_dirs(&self.root, path.parent().unwrap_or(Path::new("")))?;
        if let Some(hidden) = name.as_bytes().strip_prefix(b".wh.") {
            return whiteout(&parent, hidden);
        }
        let kind = entry.header().entry_type();
        if kind == EntryType::Directory {
            return self.directory(entry, path, &parent);
        }
        // Never written through: an earlier entry of this name could be a link.
        remove(&parent, &name)?;
        match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let flags =
                    OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mut file = File::from(fs::openat(&parent, &name, flags, Mode::from_raw_mode(0o600))?);
                io::copy(entry, &mut file)?;
                own(&file, entry)?;
                attributes(&file, entry)?;
                fs::futimens(&file, &stamp(entry.header().mtime()?))?;
            }
            EntryType::Symlink => {
                let target = link_target(entry)?;
                fs::symlinkat(&target, &parent, &name)?;
                own_link(&parent, &name, entry)?;
            }
            EntryType::Link => {
                let target = clean(&link_target(entry)?)?;
                let from = open_in(&self.root, target.parent().unwrap_or(Path::new("")), OFlags::PATH)?;
                let last =
                    target.file_name().ok_or_else(|| io::Error::other("a hard link to a directory"))?;
                fs::linkat(from, last, &parent, &name, AtFlags::empty())?;
            }
            EntryType::Char | EntryType::Block | EntryType::Fifo => device(&parent, &name, entry)?,
            other => return Err(io::Error::other(format!("entries of type {other:?} are not supported"))),
        }
        Ok(())
    }

    fn directory<R: Read>(
        &mut self,
        entry: &mut Entry<'_, R>,
        path: &Path,
        parent: &OwnedFd,
    ) -> io::Result<()> {
        let name = path.file_name().unwrap_or_default();
        // A directory replaces a file; over a directory it only changes owner and mode.
        match fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) if FileType::from_raw_mode(there.st_mode) != FileType::Directory => {
                fs::unlinkat(parent, name, AtFlags::empty())?;
            }
            _ => {}
        }
        match fs::mkdirat(parent, name, Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(e) => return Err(e.into()),
        }
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = fs::openat(parent, name, flags, Mode::empty())?;
        own(&dir, entry)?;
        attributes(&dir, entry)?;
        self.times.push((path.to_owned(), entry.header().mtime()?));
        Ok(())
    }
}

/// Translates OCI's whiteouts to overlayfs's: a character device 0/0 for a name, an attribute for a whole directory.
///
/// Source: <https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts>
fn whiteout(parent: &OwnedFd, hidden: &[u8]) -> io::Result<()> {
    if hidden == b".wh..opq" {
        fs::fsetxattr(parent, "trusted.overlay.opaque", b"y", XattrFlags::empty())?;
    } else if !hidden.starts_with(b".wh.") {
        if hidden.is_empty() || hidden == b"." || hidden == b".." {
            return Err(io::Error::other("a whiteout without a name"));
        }
        let name = std::ffi::OsStr::from_bytes(hidden);
        remove(parent, name)?;
        fs::mknodat(parent, name, FileType::CharacterDevice, Mode::empty(), 0)?;
    }
    // Other `.wh..wh.` names are bookkeeping of aufs, without a meaning elsewhere.
    Ok(())
}

/// A later entry of a layer replaces an earlier one of the same name.
fn remove(parent: &OwnedFd, name: &std::ffi::OsStr) -> io::Result<()> {
    match fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(Errno::ISDIR) => match fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
            Ok(()) => Ok(()),
            Err(_) => Err(io::Error::other("a file and a directory with entries have the same name")),
        },
        Err(e) => Err(e.into()),
    }
}

fn device<R: Read>(parent: &OwnedFd, name: &std::ffi::OsStr, entry: &Entry<'_, R>) -> io::Result<()> {
    let header = entry.header();
    let kind = match header.entry_type() {
        EntryType::Char => FileType::CharacterDevice,
        EntryType::Block => FileType::BlockDevice,
        _ => FileType::Fifo,
    };
    let (major, minor) = (header.device_major()?.unwrap_or(0), header.device_minor()?.unwrap_or(0));
    let mode = Mode::from_raw_mode(header.mode()? & 0o7777);
    fs::mknodat(parent, name, kind, mode, fs::makedev(major, minor))?;
    own_link(parent, name, entry)?;
    Ok(fs::chmodat(parent, name, mode, AtFlags::empty())?)
}

fn own<R: Read>(fd: impl AsFd, entry: &Entry<'_, R>) -> io::Result<()> {
    let (uid, gid) = owner(entry)?;
    fs::fchown(&fd, Some(uid), Some(gid))?;
    // After the owner: changing the owner clears the set-user-id bit.
    Ok(fs::fchmod(&fd, Mode::from_raw_mode(entry.header().mode()? & 0o7777))?)
}

fn own_link<R: Read>(parent: &OwnedFd, name: &std::ffi::OsStr, entry: &Entry<'_, R>) -> io::Result<()> {
    let (uid, gid) = owner(entry)?;
    Ok(fs::chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?)
}

fn owner<R: Read>(entry: &Entry<'_, R>) -> io::Result<(fs::Uid, fs::Gid)> {
    let id = |n: u64| u32::try_from(n).map_err(|_| io::Error::other(format!("owner {n} is out of range")));
    let header = entry.header();
    Ok((fs::Uid::from_raw(id(header.uid()?)?), fs::Gid::from_raw(id(header.gid()?)?)))
}

/// File capabilities and user attributes; an archive must not set overlayfs's own (`trusted.`).
fn attributes<R: Read>(fd: impl AsFd, entry: &mut Entry<'_, R>) -> io::Result<()> {
    let Some(extensions) = entry.pax_extensions()? else { return Ok(()) };
    for extension in extensions {
        let extension = extension?;
        let Some(name) = extension.key().ok().and_then(|k| k.strip_prefix("SCHILY.xattr.")) else { continue };
        if name == "security.capability" || name.starts_with("user.") {
            fs::fsetxattr(&fd, name, extension.value_bytes(), XattrFlags::empty())?;
        }
    }
    Ok(())
}

fn link_target<R: Read>(entry: &Entry<'_, R>) -> io::Result<PathBuf> {
    let target = entry.link_name()?.ok_or_else(|| io::Error::other("a link without a target"))?;
    Ok(target.into_owned())
}

fn stamp(mtime: u64) -> fs::Timestamps {
    let at = fs::Timespec { tv_sec: i64::try_from(mtime).unwrap_or(0), tv_nsec: 0 };
    fs::Timestamps { last_access: at, last_modification: at }
}

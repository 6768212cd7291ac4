//! A folder, and the files below it.
//!
//! Escale runs as root and reads folders that others wrote: a cloned repository, the output of a build. A link in such a
//! folder, for example `dist/shadow → /etc/shadow`, must not be followed. The kernel decides that at each open, not an
//! earlier check, so a concurrent change of the folder gains an attacker nothing.
//!
//! Source: <https://man7.org/linux/man-pages/man2/openat2.2.html>

use rustix::{
    fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat},
    io::Errno,
};
use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

/// openat2 answers EAGAIN when a rename somewhere on the machine crosses a `..` of the path. That is rare; a folder in which
/// it never ends is under attack.
const TRIES: usize = 64;

/// Why a file below a folder is not read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error(
        "{path} is a symbolic link to {target}, which is outside of {folder}. Replace the link by a copy of what it \
         points to, or move that into {folder} and link to it by a relative path"
    )]
    LeadsOut { path: String, target: String, folder: String },
    #[error(
        "{path} is a {kind}. Only regular files, folders and symbolic links are read from {folder}; remove it, or keep it \
         elsewhere"
    )]
    Special { path: String, kind: &'static str, folder: String },
    #[error(
        "{path} is a symbolic link, and this kernel cannot say whether it stays in {folder} (it has no openat2, Linux 5.6). \
         Replace the link by a copy of what it points to"
    )]
    Unresolvable { path: String, folder: String },
    #[error(
        "{path} is a symbolic link to {target}, a folder that contains the link, so reading it would never end. Remove the link"
    )]
    Circle { path: String, target: String },
    #[error("the name {path} is not UTF-8; rename it")]
    NotUtf8 { path: String },
    #[error("cannot read {path}: {error}")]
    Io { path: String, error: io::Error },
}

impl FileError {
    /// Whether the name does not exist.
    pub fn is_missing(&self) -> bool {
        matches!(self, FileError::Io { error, .. } if error.kind() == io::ErrorKind::NotFound)
    }

    /// Whether the name exists and is not a folder.
    pub fn is_no_folder(&self) -> bool {
        matches!(self, FileError::Io { error, .. } if error.kind() == io::ErrorKind::NotADirectory)
    }
}

/// The kind of an entry below a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
    /// With its target, as stored in the link.
    Link(PathBuf),
    /// A pipe, a device or a socket; the word is for messages.
    Special(&'static str),
}

/// An entry below a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub kind: Kind,
    /// Permission bits only.
    pub mode: u32,
    pub size_bytes: u64,
    /// Device and inode: identifies the file independently of its name.
    identity: (u64, u64),
}

/// A folder whose files are opened without leaving it. Paths are relative to it, with `/`; the empty path is the folder itself.
#[derive(Debug)]
pub struct Folder {
    root: OwnedFd,
    path: PathBuf,
    resolver: Resolver,
}

/// How a path is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolver {
    /// The kernel resolves the whole path and keeps it beneath the folder.
    Beneath,
    /// Component by component, without following any link: for kernels before 5.6, and sandboxes that forbid the call.
    NoLinks,
}

impl Folder {
    /// Opens a folder that the user named; links in its path are followed.
    pub fn open(path: &Path) -> Result<Folder, FileError> {
        let root = fs::open(path, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        Folder::of(root.map_err(|e| io_error(path.display(), e))?, path)
    }

    fn of(root: OwnedFd, path: &Path) -> Result<Folder, FileError> {
        let probed = openat2(root.as_fd(), Path::new("."), OFlags::PATH);
        let resolver = match probed {
            Ok(_) => Resolver::Beneath,
            // Sandboxes that do not know the call answer EPERM.
            Err(Errno::NOSYS | Errno::PERM) => Resolver::NoLinks,
            Err(error) => return Err(io_error(path.display(), error)),
        };
        Ok(Folder { root, path: path.to_owned(), resolver })
    }

    /// Opens a folder below this one.
    pub fn folder(&self, path: &str) -> Result<Folder, FileError> {
        let root = self.resolve(path, OFlags::DIRECTORY | OFlags::RDONLY)?;
        Ok(Folder { root, path: self.shown(path), resolver: self.resolver })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Describes the entry at a path. A link at its end is followed only if `follow` is true.
    pub fn look(&self, path: &str, follow: bool) -> Result<Entry, FileError> {
        let flags = if follow { OFlags::PATH } else { OFlags::PATH | OFlags::NOFOLLOW };
        let found = self.resolve(path, flags)?;
        let stat = fs::fstat(&found).map_err(|e| self.io(path, e))?;
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => {
                // Reads the link that was examined, even if its name was given to another file since.
                let target = fs::readlinkat(&found, "", Vec::new()).map_err(|e| self.io(path, e))?;
                Kind::Link(PathBuf::from(target.to_string_lossy().into_owned()))
            }
            _ => kind_of(&stat),
        };
        Ok(Entry {
            kind,
            mode: stat.st_mode & 0o7777,
            size_bytes: u64::try_from(stat.st_size).unwrap_or_default(),
            identity: (stat.st_dev, stat.st_ino),
        })
    }

    /// Opens a regular file for reading. No other kind is ever opened: a pipe would block, and opening a device may have effects.
    pub fn file(&self, path: &str) -> Result<File, FileError> {
        self.regular(path, &self.resolve(path, OFlags::PATH)?)?;
        // The file may be replaced by a pipe between the check and the open: the check below then gives the same error.
        let file = self.resolve(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
        self.regular(path, &file)?;
        Ok(File::from(file))
    }

    /// Reads a whole regular file of at most `most_bytes`.
    pub fn read(&self, path: &str, most_bytes: u64) -> Result<Vec<u8>, FileError> {
        let mut bytes = Vec::new();
        let read = self.file(path)?.take(most_bytes.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|e| self.io(path, e))?;
        if bytes.len() as u64 > most_bytes {
            let error = io::Error::other(format!("it is larger than {most_bytes} bytes"));
            return Err(self.io(path, error));
        }
        Ok(bytes)
    }

    /// The names in a folder, sorted.
    pub fn names(&self, path: &str) -> Result<Vec<String>, FileError> {
        let folder = self.resolve(path, OFlags::DIRECTORY | OFlags::RDONLY)?;
        let entries = fs::Dir::new(folder).map_err(|e| self.io(path, e))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| self.io(path, e))?;
            match entry.file_name().to_bytes() {
                b"." | b".." => {}
                name => match std::str::from_utf8(name) {
                    Ok(name) => names.push(name.to_owned()),
                    Err(_) => {
                        let shown = self.shown(path).join(String::from_utf8_lossy(name).into_owned());
                        return Err(FileError::NotUtf8 { path: shown.display().to_string() });
                    }
                },
            }
        }
        names.sort();
        Ok(names)
    }

    /// The paths of all regular files below the folder, sorted; links inside of the folder are followed. A pipe, a device or a
    /// socket is an error, as is a link that leads out of the folder or forms a cycle.
    pub fn files(&self) -> Result<Vec<String>, FileError> {
        let mut found = Vec::new();
        let top = self.look("", true)?;
        self.walk("", &mut vec![top.identity], &mut found)?;
        found.sort();
        Ok(found)
    }

    fn walk(
        &self,
        path: &str,
        above: &mut Vec<(u64, u64)>,
        found: &mut Vec<String>,
    ) -> Result<(), FileError> {
        for name in self.names(path)? {
            let path = if path.is_empty() { name } else { format!("{path}/{name}") };
            let entry = self.look(&path, true)?;
            match entry.kind {
                Kind::File => found.push(path),
                Kind::Folder if above.contains(&entry.identity) => {
                    let target = self.target(&path);
                    return Err(FileError::Circle { path: self.text(&path), target });
                }
                Kind::Folder => {
                    above.push(entry.identity);
                    self.walk(&path, above, found)?;
                    above.pop();
                }
                Kind::Special(kind) => return Err(self.special(&path, kind)),
                // `look` returns a link only when it does not follow links.
                Kind::Link(_) => return Err(self.io(&path, Errno::LOOP)),
            }
        }
        Ok(())
    }

    fn regular(&self, path: &str, opened: &OwnedFd) -> Result<(), FileError> {
        let stat = fs::fstat(opened).map_err(|e| self.io(path, e))?;
        match kind_of(&stat) {
            Kind::File => Ok(()),
            Kind::Special(kind) => Err(self.special(path, kind)),
            _ => Err(self.io(path, Errno::ISDIR)),
        }
    }

    fn resolve(&self, path: &str, flags: OFlags) -> Result<OwnedFd, FileError> {
        let path = if path.is_empty() { "." } else { path };
        let opened = match self.resolver {
            Resolver::Beneath => openat2(self.root.as_fd(), Path::new(path), flags),
            Resolver::NoLinks => without_links(self.root.as_fd(), path, flags),
        };
        opened.map_err(|error| self.refused(path, error))
    }

    /// Finds the link that made the kernel refuse a path.
    fn refused(&self, path: &str, error: Errno) -> FileError {
        // XDEV: the path leaves the folder. LOOP: a link of /proc, too many links, or (without openat2) any link.
        if !matches!(error, Errno::XDEV | Errno::LOOP) {
            return self.io(path, error);
        }
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        let fails = |part: &&str| {
            let tried = match self.resolver {
                Resolver::Beneath => openat2(self.root.as_fd(), Path::new(part), OFlags::PATH).map(drop),
                Resolver::NoLinks => without_links(self.root.as_fd(), part, OFlags::PATH).map(drop),
            };
            tried.is_err()
        };
        let link = ends.map(|end| &path[..end]).find(fails).unwrap_or(path);
        let (shown, folder) = (self.text(link), self.path.display().to_string());
        match (self.resolver, error) {
            (Resolver::NoLinks, _) => FileError::Unresolvable { path: shown, folder },
            (Resolver::Beneath, _) => FileError::LeadsOut { path: shown, target: self.target(link), folder },
        }
    }

    /// The target of a link, for a message.
    fn target(&self, link: &str) -> String {
        let flags = OFlags::PATH | OFlags::NOFOLLOW;
        let opened = match self.resolver {
            Resolver::Beneath => openat2(self.root.as_fd(), Path::new(link), flags),
            Resolver::NoLinks => without_links(self.root.as_fd(), link, flags),
        };
        match opened.and_then(|link| fs::readlinkat(link, "", Vec::new())) {
            Ok(target) => target.to_string_lossy().into_owned(),
            Err(_) => "an unknown target".to_owned(),
        }
    }

    fn shown(&self, path: &str) -> PathBuf {
        self.path.join(path).components().collect()
    }

    fn text(&self, path: &str) -> String {
        self.shown(path).display().to_string()
    }

    /// The error for something that is neither file, folder nor link.
    pub fn special(&self, path: &str, kind: &'static str) -> FileError {
        FileError::Special { path: self.text(path), kind, folder: self.path.display().to_string() }
    }

    fn io(&self, path: &str, error: impl Into<io::Error>) -> FileError {
        FileError::Io { path: self.text(path), error: error.into() }
    }
}

fn io_error(path: impl ToString, error: Errno) -> FileError {
    FileError::Io { path: path.to_string(), error: error.into() }
}

/// Neither `..`, nor an absolute or relative link, nor a link of /proc can leave `root`.
fn openat2(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..TRIES {
        match fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::AGAIN) => {}
            done => return done,
        }
    }
    Err(Errno::AGAIN)
}

/// The same for kernels without openat2: each component is opened relative to its parent, and none may be a link.
fn without_links(root: BorrowedFd<'_>, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if path.starts_with('/') || parts.contains(&"..") {
        return Err(Errno::XDEV);
    }
    let keep = OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let Some((last, above)) = parts.split_last() else {
        return fs::openat(root, ".", flags | keep, Mode::empty());
    };
    let mut at = fs::openat(root, ".", OFlags::PATH | OFlags::DIRECTORY | keep, Mode::empty())?;
    for part in above {
        let next = fs::openat(&at, *part, OFlags::PATH | keep, Mode::empty())?;
        at = not_a_link(next)?;
    }
    let opened = fs::openat(&at, *last, flags | keep, Mode::empty())?;
    // NOFOLLOW means that the caller wants the link itself.
    if flags.contains(OFlags::NOFOLLOW) { Ok(opened) } else { not_a_link(opened) }
}

/// O_PATH opens a link itself, without an error.
fn not_a_link(opened: OwnedFd) -> Result<OwnedFd, Errno> {
    match FileType::from_raw_mode(fs::statat(&opened, "", AtFlags::EMPTY_PATH)?.st_mode) {
        FileType::Symlink => Err(Errno::LOOP),
        _ => Ok(opened),
    }
}

fn kind_of(stat: &Stat) -> Kind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        FileType::Fifo => Kind::Special("named pipe"),
        FileType::Socket => Kind::Special("socket"),
        FileType::CharacterDevice => Kind::Special("character device"),
        FileType::BlockDevice => Kind::Special("block device"),
        _ => Kind::Special("file of an unknown type"),
    }
}

#[cfg(test)]
mod tests;

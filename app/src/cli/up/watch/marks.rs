//! What a watch looks at: for each part of the application its files, with marks by which a change is found.
//!
//! The kernel's notifications only wake the watch up. What changed is found by comparing marks, so a file that `.dockerignore`
//! excludes, or one that was written and restored, starts nothing.

use crate::cli::up::named_folder;
use anyhow::{Context, Result, bail};
use escale_blueprint::{Image, Manifest, Template};
use escale_files::{FileError, Folder, Kind};
use escale_imagebuild::Context as BuildContext;
use rustix::{
    fs::inotify::{self, CreateFlags, WatchFlags},
    io::Errno,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::{fd::OwnedFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::io::unix::AsyncFd;

/// A part of the application that a round deploys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Manifest,
    Service(String),
    Bucket(String),
}

impl Part {
    pub(super) fn name(&self) -> &str {
        match self {
            Part::Manifest => "escale.yaml",
            Part::Service(name) | Part::Bucket(name) => name,
        }
    }
}

/// Identifies one state of a file: time of modification, size, mode, inode.
type Mark = (i64, i64, u64, u32, u64);

/// The files of every part.
#[derive(Default)]
pub(super) struct Marks(BTreeMap<Part, BTreeMap<PathBuf, Option<Mark>>>);

impl Marks {
    /// The parts that differ, each with one of the files that do.
    pub(super) fn changed_since(&self, before: &Marks) -> BTreeMap<Part, PathBuf> {
        let differs = |(part, files): (&Part, &BTreeMap<PathBuf, Option<Mark>>)| {
            let old = before.0.get(part)?;
            let changed = files.iter().find(|(path, mark)| old.get(*path) != Some(mark));
            let gone = || old.iter().find(|(path, _)| !files.contains_key(*path));
            changed.or_else(gone).map(|(path, _)| (part.clone(), path.clone()))
        };
        self.0.iter().filter_map(differs).collect()
    }

    /// The marks now, and the folders to watch. The files of `env_file` belong to the manifest in `path`.
    pub(super) fn of(
        path: &Path,
        folder: &Path,
        manifest: &Manifest,
        template: &Template,
    ) -> (Marks, BTreeSet<PathBuf>) {
        let mut marks = Marks::default();
        let named = manifest.services.iter().flat_map(|service| &service.env_file);
        let files: BTreeSet<PathBuf> =
            named.map(|file| crate::cli::up::below(folder, file)).chain([path.to_owned()]).collect();
        let mut folders: BTreeSet<PathBuf> =
            files.iter().filter_map(|file| file.parent().map(Path::to_owned)).collect();
        let files = files.into_iter().map(|file| (file.clone(), mark(&file))).collect();
        marks.0.insert(Part::Manifest, files);
        for needed in &template.images {
            let Image::Build(named) = &needed.image else { continue };
            let files = files_of(folder, named, build_context, &mut folders);
            marks.0.insert(Part::Service(needed.service.clone()), files);
        }
        for sync in &template.syncs {
            let files = files_of(folder, &sync.folder, everything, &mut folders);
            marks.0.insert(Part::Bucket(sync.bucket.clone()), files);
        }
        (marks, folders)
    }
}

/// Paths below a folder: files, and the folders to watch.
type Below = (Vec<String>, Vec<String>);

fn files_of(
    folder: &Path,
    named: &str,
    list: fn(&Arc<Folder>) -> Result<Below, FileError>,
    folders: &mut BTreeSet<PathBuf>,
) -> BTreeMap<PathBuf, Option<Mark>> {
    let root = crate::cli::up::below(folder, named);
    folders.insert(root.clone());
    // A folder that cannot be read, perhaps because it is being replaced, has no files. The round that this starts reports why.
    let Ok((files, below)) = named_folder(folder, named).and_then(|open| list(&Arc::new(open))) else {
        return BTreeMap::new();
    };
    folders.extend(below.iter().map(|path| root.join(path)));
    files.iter().map(|path| (root.join(path), mark(&root.join(path)))).collect()
}

/// The files of an image's build context, and those that decide about it even if they are ignored.
fn build_context(folder: &Arc<Folder>) -> Result<Below, FileError> {
    let entries = BuildContext::open(Arc::clone(folder), "Dockerfile")?.below("")?;
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for (path, entry) in entries {
        if entry.kind == Kind::Folder { folders.push(path) } else { files.push(path) }
    }
    // A later pattern may include a file of an ignored folder again.
    folders.extend(above(&files));
    let always = ["Dockerfile", "Dockerfile.dockerignore", ".dockerignore"];
    files.extend(always.map(str::to_owned));
    Ok((files, folders))
}

/// All files of a folder that a bucket `sync`s.
fn everything(folder: &Arc<Folder>) -> Result<Below, FileError> {
    let files = folder.files()?;
    let folders = above(&files).into_iter().collect();
    Ok((files, folders))
}

/// The folders in which these files are.
fn above(files: &[String]) -> BTreeSet<String> {
    files.iter().flat_map(|file| file.match_indices('/').map(|(end, _)| file[..end].to_owned())).collect()
}

/// `None` if the file does not exist.
fn mark(path: &Path) -> Option<Mark> {
    let found = fs::symlink_metadata(path).ok()?;
    Some((found.mtime(), found.mtime_nsec(), found.size(), found.mode(), found.ino()))
}

/// The kernel's notifications about folders (inotify(7)).
pub(super) struct Notifications(AsyncFd<OwnedFd>);

/// Editors and compilers write several files at once: a round begins when there was no change for so long …
const QUIET: Duration = Duration::from_millis(150);
/// … or after so many pauses of this length, because a program may write without end.
const MOST_PAUSES: usize = 20;

impl Notifications {
    pub(super) fn new() -> Result<Notifications> {
        let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
        let fd = fd.context("cannot watch files: inotify_init1 failed")?;
        // SAFETY: an OwnedFd is one open descriptor, the same until the AsyncFd drops it.
        Ok(Notifications(unsafe { AsyncFd::register(fd)? }))
    }

    /// Adds these folders; a folder that is watched already is not watched twice.
    pub(super) fn add(&self, folders: &BTreeSet<PathBuf>) -> Result<()> {
        let what = WatchFlags::CREATE
            | WatchFlags::MODIFY
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::DELETE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE
            | WatchFlags::MOVE_SELF
            | WatchFlags::ATTRIB;
        for folder in folders {
            match inotify::add_watch(&self.0, folder, what | WatchFlags::ONLYDIR) {
                // It was removed since it was found, and its parent is watched.
                Ok(_) | Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(Errno::NOSPC) => bail!(
                    "cannot watch {}: the limit of watched folders is reached. Raise it with `sysctl \
                     fs.inotify.max_user_watches=524288`, or exclude folders with .dockerignore",
                    folder.display()
                ),
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot watch {}", folder.display()));
                }
            }
        }
        Ok(())
    }

    /// Waits until the changes pause.
    pub(super) async fn pause(&self) -> Result<()> {
        for _ in 0..MOST_PAUSES {
            match tokio::time::timeout(QUIET, self.one()).await {
                Ok(one) => one?,
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Waits for notifications and discards them.
    pub(super) async fn one(&self) -> Result<()> {
        let mut ready = self.0.readable().await?;
        let mut buffer = [0; 4096];
        loop {
            match rustix::io::read(&self.0, &mut buffer) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error).context("cannot read the notifications about changed files"),
            }
        }
        ready.clear_ready();
        Ok(())
    }
}

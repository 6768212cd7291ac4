//! The file tree of an image, computed from its layers in order. Nothing is unpacked: contents are read from the layers.
//!
//! Source: <https://github.com/opencontainers/image-spec/blob/main/layer.md>

use crate::{
    build::join,
    layer::{Entries, What},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Component, Path, PathBuf},
};

/// The limit of entries in one layer, the same as when a container unpacks it.
const LAYER_ENTRIES: usize = 1_000_000;

/// The largest window of a layer in zstd, as a power of two: 128 MiB of memory, the default of the zstd program.
const ZSTD_WINDOW_LOG: u32 = 27;

/// The limit of links in one path, as in the kernel.
const LINKS: usize = 40;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    File(Content),
    Link(PathBuf),
    /// A device or a pipe.
    Special,
}

/// The location of a file's bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Content {
    /// The layer's blob.
    pub(crate) blob: PathBuf,
    /// The path by which the layer's archive has it.
    pub(crate) path: String,
}

/// Paths relative to the image's root.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree(BTreeMap<String, Node>);

impl Tree {
    /// The entry at a path, without following links.
    pub(crate) fn get(&self, path: &str) -> Option<&Node> {
        self.0.get(path)
    }

    /// The entry at a path, with links followed.
    pub(crate) fn follow(&self, path: &str) -> Option<&Node> {
        self.get(&self.resolve(path, true)?)
    }

    /// Resolves the links in a path; the last part is resolved only if `last` is set. `None` if the links form a loop.
    pub(crate) fn resolve(&self, path: &str, last: bool) -> Option<String> {
        let mut ahead: Vec<String> = parts(path).rev().collect();
        let (mut at, mut links) = (Vec::<String>::new(), 0);
        while let Some(part) = ahead.pop() {
            if part == ".." {
                at.pop();
                continue;
            }
            at.push(part);
            let follows = last || !ahead.is_empty();
            if let Some(Kind::Link(to)) = self.get(&at.join("/")).map(|n| &n.kind)
                && follows
            {
                links += 1;
                if links > LINKS {
                    return None;
                }
                let to = to.to_string_lossy();
                if to.starts_with('/') {
                    at.clear()
                } else {
                    drop(at.pop())
                }
                ahead.extend(parts(&to).rev());
            }
        }
        Some(at.join("/"))
    }

    /// Everything below a folder, by paths relative to it.
    pub(crate) fn below<'a>(&'a self, folder: &str) -> impl Iterator<Item = (&'a str, &'a Node)> {
        let top = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let length = top.len();
        let under = self.0.range(top.clone()..).take_while(move |(path, _)| path.starts_with(&top));
        under.map(move |(path, node)| (&path[length..], node))
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Applies a layer that was just written.
    pub(crate) fn add(&mut self, entries: &Entries, blob: &Path) {
        for (path, entry) in entries {
            let kind = match &entry.what {
                What::Folder => Kind::Folder,
                What::File(_) => Kind::File(Content { blob: blob.to_owned(), path: path.clone() }),
                What::Link(to) => Kind::Link(to.clone()),
            };
            self.put(path.clone(), Node { kind, mode: entry.mode, uid: entry.uid, gid: entry.gid });
        }
    }

    /// Applies the layer of a blob.
    pub(crate) fn read(&mut self, blob: &Path) -> io::Result<()> {
        let mut archive = tar::Archive::new(open(blob)?);
        let (mut own, mut hidden, mut emptied) = (BTreeMap::<String, Node>::new(), Vec::new(), Vec::new());
        for (count, entry) in archive.entries()?.enumerate() {
            if count >= LAYER_ENTRIES {
                return Err(io::Error::other(format!("it has more than {LAYER_ENTRIES} entries")));
            }
            let entry = entry?;
            let path = clean(&entry.path()?)?;
            let (above, name) = path.rsplit_once('/').unwrap_or(("", &path));
            if name == ".wh..wh..opq" {
                emptied.push(above.to_owned());
                continue;
            }
            if let Some(name) = name.strip_prefix(".wh.") {
                // other `.wh..wh.` names are the book-keeping of aufs
                if !name.starts_with(".wh.") {
                    hidden.push(join(above, name));
                }
                continue;
            }
            let header = entry.header();
            let linked =
                || entry.link_name()?.ok_or_else(|| io::Error::other(format!("`{path}` links to nothing")));
            use tar::EntryType::{Continuous, Directory, GNUSparse, Link, Regular, Symlink};
            let kind = match header.entry_type() {
                Directory => Kind::Folder,
                Regular | Continuous | GNUSparse => {
                    Kind::File(Content { blob: blob.to_owned(), path: path.clone() })
                }
                Symlink => Kind::Link(linked()?.into_owned()),
                Link => {
                    let to = clean(&linked()?)?;
                    let node = own.get(&to).or_else(|| self.get(&to));
                    node.ok_or_else(|| {
                        io::Error::other(format!("`{path}` is a hard link to `{to}`, which does not exist"))
                    })?
                    .kind
                    .clone()
                }
                _ => Kind::Special,
            };
            let node = Node { kind, mode: header.mode()? & 0o7777, uid: header.uid()?, gid: header.gid()? };
            own.insert(path, node);
        }
        // a whiteout hides files of lower layers only, wherever in the archive it is
        emptied.iter().for_each(|folder| self.clear(folder));
        for path in hidden {
            self.clear(&path);
            self.0.remove(&path);
        }
        own.into_iter().filter(|(path, _)| !path.is_empty()).for_each(|(path, node)| self.put(path, node));
        Ok(())
    }

    fn put(&mut self, path: String, node: Node) {
        if node.kind != Kind::Folder {
            self.clear(&path);
        }
        // archives need not contain parent folders; an unpacker creates them with these attributes
        for (end, _) in path.match_indices('/') {
            let usual = || Node { kind: Kind::Folder, mode: 0o755, uid: 0, gid: 0 };
            self.0.entry(path[..end].to_owned()).or_insert_with(usual);
        }
        self.0.insert(path, node);
    }

    /// Removes everything below a folder.
    fn clear(&mut self, folder: &str) {
        let under: Vec<String> = self.below(folder).map(|(rest, _)| join(folder, rest)).collect();
        under.iter().for_each(|path| drop(self.0.remove(path)));
    }
}

/// Reads files from a layer: `take` gets each wanted path and its bytes.
pub(crate) fn extract(
    blob: &Path,
    wanted: &BTreeSet<&str>,
    take: &mut dyn FnMut(&str, &mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    let mut archive = tar::Archive::new(open(blob)?);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = clean(&entry.path()?)?;
        if wanted.contains(path.as_str()) && !entry.header().entry_type().is_dir() {
            take(&path, &mut entry)?;
        }
    }
    Ok(())
}

/// Opens a layer; its first bytes show the compression.
fn open(blob: &Path) -> io::Result<Box<dyn Read>> {
    let mut file = BufReader::new(File::open(blob)?);
    Ok(match file.fill_buf()? {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let mut decoder = zstd::Decoder::with_buffer(file)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            Box::new(decoder)
        }
        _ => Box::new(file),
    })
}

/// A member's path without root and `.`. A path with `..` is refused, because no valid layer needs it.
fn clean(path: &Path) -> io::Result<String> {
    let mut cleaned = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => {
                let name = name
                    .to_str()
                    .ok_or_else(|| io::Error::other(format!("the name {name:?} is not UTF-8")))?;
                cleaned.push(name);
            }
            Component::RootDir | Component::CurDir => {}
            _ => return Err(io::Error::other(format!("the path {} leads out of the layer", path.display()))),
        }
    }
    Ok(cleaned.join("/"))
}

fn parts(path: &str) -> impl DoubleEndedIterator<Item = String> {
    path.split('/').filter(|p| !p.is_empty() && *p != ".").map(str::to_owned)
}

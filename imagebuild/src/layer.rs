//! One layer: a tar whose bytes depend on nothing but paths, modes, owners and contents.

use crate::layout::{LayoutError, Writer, at};
use escale_files::{Folder, disk};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

/// A file of a layer.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) what: What,
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Folder,
    File(Bytes),
    Link(PathBuf),
}

/// The source of a file's bytes. A file is opened only when it is written, because thousands cannot stay open.
#[derive(Clone, Debug)]
pub(crate) enum Bytes {
    /// A file of Escale's own.
    Path(PathBuf),
    /// A file of the build context, opened without following links out of it.
    Context(Arc<Folder>, String),
}

impl Bytes {
    fn open(&self) -> Result<File, LayoutError> {
        match self {
            Bytes::Path(path) => File::open(path).map_err(|e| at(path, e)),
            Bytes::Context(folder, path) => Ok(folder.file(path)?),
        }
    }
}

/// Paths inside the image, relative to its root, in the order in which they are written.
pub(crate) type Entries = BTreeMap<String, Entry>;

/// A layer in a layout.
pub(crate) struct Layer {
    pub(crate) digest: String,
    /// The digest before compression.
    pub(crate) diff_id: String,
    pub(crate) size_bytes: u64,
}

pub(crate) fn write(writer: &Writer, entries: &Entries) -> Result<Layer, LayoutError> {
    let file = writer.temporary()?;
    let path = file.path().to_owned();
    let packed = Hashing::new(BufWriter::new(file));
    // speed before size: layers travel over loopback. A GzEncoder writes no time and no name
    let gzip = GzEncoder::new(packed, Compression::fast());
    let mut tar = tar::Builder::new(Hashing::new(gzip));
    for (name, entry) in entries {
        append(&mut tar, name, entry, &path)?;
    }
    let finish = |e| at(&path, e);
    let plain = tar.into_inner().map_err(finish)?;
    let diff_id = plain.digest();
    let packed = plain.inner.finish().map_err(finish)?;
    let (digest, size_bytes) = (packed.digest(), packed.count);
    let file = packed.inner.into_inner().map_err(|e| at(&path, e.into_error()))?;
    writer.keep(file, &digest)?;
    Ok(Layer { digest, diff_id, size_bytes })
}

/// Adds a file to the archive that is written to `to`.
fn append<W: Write>(
    tar: &mut tar::Builder<W>,
    name: &str,
    entry: &Entry,
    to: &Path,
) -> Result<(), LayoutError> {
    // A full disk is the one of the archive, because the source is only read.
    let fault = |e: io::Error| at(if disk::is_full(&e) { to } else { Path::new(name) }, e);
    let mut header = tar::Header::new_gnu();
    header.set_mode(entry.mode);
    header.set_uid(entry.uid);
    header.set_gid(entry.gid);
    header.set_mtime(0);
    header.set_size(0);
    match &entry.what {
        What::Folder => {
            header.set_entry_type(tar::EntryType::Directory);
            tar.append_data(&mut header, format!("{name}/"), io::empty()).map_err(fault)
        }
        What::Link(to) => {
            header.set_entry_type(tar::EntryType::Symlink);
            tar.append_link(&mut header, name, to).map_err(fault)
        }
        What::File(bytes) => {
            let file = bytes.open()?;
            let size = file.metadata().map_err(fault)?.len();
            header.set_entry_type(tar::EntryType::Regular);
            header.set_size(size);
            // a file whose size changes meanwhile would corrupt the archive
            let mut counted = Exactly { file, left: size };
            tar.append_data(&mut header, name, &mut counted).map_err(fault)
        }
    }
}

/// Reads as many bytes as the header says, or fails.
struct Exactly {
    file: File,
    left: u64,
}

impl io::Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.file.read(&mut buffer[..most])?;
        if count == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::Error::other("the file became shorter while it was read"));
        }
        self.left -= count as u64;
        Ok(count)
    }
}

struct Hashing<W> {
    inner: W,
    hash: Sha256,
    count: u64,
}

impl<W> Hashing<W> {
    fn new(inner: W) -> Hashing<W> {
        Hashing { inner, hash: Sha256::new(), count: 0 }
    }

    fn digest(&self) -> String {
        format!("sha256:{}", hex::encode(self.hash.clone().finalize()))
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.count += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

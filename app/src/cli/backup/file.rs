//! The file of a backup: frames, and the SHA-256 of all of them at the end. It is written and read as a stream.
//!
//! ```text
//! "ESCALE BACKUP 1\n", frames, END
//! frame: kind (1 byte), length (4 bytes, big-endian), content
//! DATABASE (JSON), then CHUNKs of pg_dump's custom format, then DONE
//! OBJECT (JSON), then CHUNKs of its content, then DONE
//! END: the SHA-256 of everything before this frame
//! ```

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use std::{
    fs::{File, OpenOptions},
    io::{self, BufReader, BufWriter, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

const MAGIC: &[u8] = b"ESCALE BACKUP 1\n";
/// The largest content of a frame, and the size of the chunks: a part of an upload to S3.
pub(super) const CHUNK_BYTES: usize = 8 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Header = b'H',
    Database = b'D',
    Object = b'O',
    Chunk = b'C',
    Done = b'.',
    End = b'E',
}

impl Kind {
    fn of(byte: u8) -> Option<Kind> {
        use Kind::{Chunk, Database, Done, End, Header, Object};
        [Header, Database, Object, Chunk, Done, End].into_iter().find(|kind| *kind as u8 == byte)
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    pub app: String,
    pub created: String,
    /// The logical ids of the buckets, also of those without objects.
    pub buckets: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Database {
    /// As the manifest names it.
    pub name: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Object {
    /// The bucket's logical id.
    pub bucket: String,
    pub key: String,
    pub size: u64,
    pub headers: Vec<(String, String)>,
}

/// Writes a file that gets its name only when it is whole.
pub(super) struct Writer {
    out: BufWriter<File>,
    hash: Sha256,
    path: PathBuf,
    part: PathBuf,
    bytes: u64,
}

impl Drop for Writer {
    fn drop(&mut self) {
        // After `finish` it has another name.
        let _ = std::fs::remove_file(&self.part);
    }
}

impl Writer {
    pub(super) fn create(path: &Path) -> Result<Writer> {
        if path.exists() {
            bail!("{} exists already. Name another file, or remove it first", path.display());
        }
        let name = path.file_name().with_context(|| format!("{} names no file", path.display()))?;
        let part = path.with_file_name(format!(".{}.{}.part", name.to_string_lossy(), std::process::id()));
        // It contains everything that the application knows.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
        let file = file.with_context(|| format!("cannot create {}", part.display()))?;
        let mut writer =
            Writer { out: BufWriter::new(file), hash: Sha256::new(), path: path.to_owned(), part, bytes: 0 };
        writer.write(MAGIC)?;
        Ok(writer)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes).with_context(|| format!("cannot write {}", self.part.display()))
    }

    pub(super) fn frame(&mut self, kind: Kind, content: &[u8]) -> Result<()> {
        let length = u32::try_from(content.len()).ok().filter(|n| *n as usize <= CHUNK_BYTES);
        let length = length.context("a part of the backup is too large")?;
        self.write(&[kind as u8])?;
        self.write(&length.to_be_bytes())?;
        self.write(content)
    }

    pub(super) fn json(&mut self, kind: Kind, value: &impl Serialize) -> Result<()> {
        self.frame(kind, &serde_json::to_vec(value)?)
    }

    /// Completes the file: its content is on the disk before it gets its name. Returns its size.
    pub(super) fn finish(mut self) -> Result<u64> {
        let sum = self.hash.clone().finalize();
        self.frame(Kind::End, &sum)?;
        let what = || format!("cannot write {}", self.path.display());
        self.out.flush().with_context(what)?;
        self.out.get_ref().sync_all().with_context(what)?;
        // A link fails if the name was taken meanwhile; a rename would replace that file.
        std::fs::hard_link(&self.part, &self.path).with_context(what)?;
        let folder = self.path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|dir| dir.sync_all()).with_context(what)?;
        Ok(self.bytes)
    }
}

/// Reads a file that is whole.
pub(super) struct Reader {
    from: BufReader<File>,
    hash: Sha256,
    path: PathBuf,
}

impl Reader {
    /// Reads the whole file first: a damaged one changes nothing.
    pub(super) fn open(path: &Path) -> Result<Reader> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let mut reader = Reader { from: BufReader::new(file), hash: Sha256::new(), path: path.to_owned() };
        reader.begin()?;
        while reader.next()?.0 != Kind::End {}
        reader.from.rewind().with_context(|| format!("cannot read {}", path.display()))?;
        reader.hash = Sha256::new();
        reader.begin()?;
        Ok(reader)
    }

    fn damaged(&self, why: &str) -> anyhow::Error {
        anyhow::anyhow!("{} is no whole backup: {why}. Nothing was restored from it", self.path.display())
    }

    fn exactly(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.from.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged("it ends too early"),
            _ => self.damaged(&error.to_string()),
        })
    }

    fn begin(&mut self) -> Result<()> {
        let mut magic = [0; 16];
        self.exactly(&mut magic)?;
        self.hash.update(magic);
        if magic != MAGIC {
            return Err(self.damaged("it was not written by `escale backup`"));
        }
        Ok(())
    }

    pub(super) fn next(&mut self) -> Result<(Kind, Vec<u8>)> {
        let sum = self.hash.clone().finalize();
        let mut head = [0; 5];
        self.exactly(&mut head)?;
        let [kind, length @ ..] = head;
        let length = u32::from_be_bytes(length) as usize;
        let kind = Kind::of(kind).filter(|_| length <= CHUNK_BYTES);
        let kind = kind.ok_or_else(|| self.damaged("it has a part of an unknown kind"))?;
        let mut content = vec![0; length];
        self.exactly(&mut content)?;
        self.hash.update(head);
        self.hash.update(&content);
        if kind == Kind::End {
            if content != sum.as_slice() {
                return Err(self.damaged("its checksum does not match"));
            }
            if self.from.read(&mut [0]).unwrap_or(1) != 0 {
                return Err(self.damaged("something follows its end"));
            }
        }
        Ok((kind, content))
    }

    pub(super) fn json<T: DeserializeOwned>(&self, content: &[u8]) -> Result<T> {
        serde_json::from_slice(content).map_err(|error| self.damaged(&error.to_string()))
    }

    /// The next chunk of a stream; `None` at its end.
    pub(super) fn chunk(&mut self) -> Result<Option<Vec<u8>>> {
        match self.next()? {
            (Kind::Chunk, bytes) => Ok(Some(bytes)),
            (Kind::Done, _) => Ok(None),
            (kind, _) => Err(self.damaged(&format!("{kind:?} is within a stream"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(path: &Path) -> Vec<u8> {
        let mut writer = Writer::create(path).unwrap();
        writer.json(Kind::Database, &Database { name: "db".into() }).unwrap();
        writer.frame(Kind::Chunk, b"rows").unwrap();
        writer.frame(Kind::Done, b"").unwrap();
        writer.finish().unwrap();
        std::fs::read(path).unwrap()
    }

    #[test]
    fn every_damage_is_refused_before_anything_is_read_from_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("b");
        let whole = written(&path);
        let mut reader = Reader::open(&path).unwrap();
        let (kind, content) = reader.next().unwrap();
        assert_eq!((kind, reader.json::<Database>(&content).unwrap().name.as_str()), (Kind::Database, "db"));
        assert_eq!(reader.chunk().unwrap().unwrap(), b"rows");
        assert!(reader.chunk().unwrap().is_none());
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, &damaged).unwrap();
            assert!(Reader::open(&path).is_err(), "a changed byte {at}");
            std::fs::write(&path, &whole[..at]).unwrap();
            assert!(Reader::open(&path).is_err(), "{at} bytes");
        }
        std::fs::write(&path, [&whole[..], b"x"].concat()).unwrap();
        assert!(Reader::open(&path).is_err());
    }

    #[test]
    fn unfinished_file_is_removed_and_an_existing_one_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("b");
        drop(Writer::create(&path).unwrap());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        written(&path);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(Writer::create(&path).is_err());
    }
}

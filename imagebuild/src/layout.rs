//! OCI image layouts: a folder of content-addressed blobs and an index that names the image.
//!
//! Source: <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>

use escale_files::disk;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// An image on disk.
#[derive(Clone, Debug)]
pub struct Layout {
    folder: PathBuf,
    /// The manifest's digest: `sha256:…`.
    pub digest: String,
    pub manifest: Value,
}

#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    #[error("{path}: {error}")]
    Io { path: String, error: io::Error },
    #[error("cannot write {path}: {why}")]
    Full { path: String, why: String },
    #[error(transparent)]
    File(#[from] escale_files::FileError),
    #[error("{path} is not valid in an OCI layout: {what}")]
    Form { path: String, what: String },
    #[error("{place} has no image for {architecture}. It has images for {there}")]
    NoSuchArchitecture { place: String, architecture: String, there: String },
}

impl Layout {
    /// Opens a layout with one image. If the image supports several architectures, it selects this one (by Go's names:
    /// `amd64`, `arm64`).
    pub fn open(folder: &Path, architecture: &str) -> Result<Layout, LayoutError> {
        let mut list = read_json(&folder.join("index.json"))?;
        // an index may name an index: an image for several architectures
        for _ in 0..NESTED_INDEXES {
            let entry = choose(&folder.display().to_string(), &list, architecture)?;
            let (digest, kind) = (text(&entry["digest"]), text(&entry["mediaType"]));
            let document = read_json(&blob_path(folder, &digest)?)?;
            if is_index(&kind) {
                list = document;
            } else {
                return Ok(Layout { folder: folder.to_owned(), digest, manifest: document });
            }
        }
        Err(form(&folder.join("index.json"), "its image indexes are nested too deeply"))
    }

    /// An image whose blobs all exist.
    pub(crate) fn of(folder: &Path, digest: String, manifest: Value) -> Layout {
        Layout { folder: folder.to_owned(), digest, manifest }
    }

    /// The path of a blob.
    pub fn blob(&self, digest: &str) -> Result<PathBuf, LayoutError> {
        blob_path(&self.folder, digest)
    }

    /// The image's configuration: how to run it.
    pub fn config(&self) -> Result<Value, LayoutError> {
        read_json(&self.blob(&text(&self.manifest["config"]["digest"]))?)
    }

    /// Configuration and layers as (digest, size in bytes), each once.
    pub fn blobs(&self) -> Vec<(String, u64)> {
        let layers = self.manifest["layers"].as_array().into_iter().flatten();
        let mut all: Vec<(String, u64)> = Vec::new();
        for entry in layers.chain([&self.manifest["config"]]) {
            let blob = (text(&entry["digest"]), entry["size"].as_u64().unwrap_or_default());
            if !all.contains(&blob) {
                all.push(blob);
            }
        }
        all
    }

    /// The manifest as it is stored, byte by byte.
    pub fn manifest_bytes(&self) -> Result<Vec<u8>, LayoutError> {
        let path = self.blob(&self.digest)?;
        fs::read(&path).map_err(|e| at(&path, e))
    }
}

/// The limit of nested indexes.
pub(crate) const NESTED_INDEXES: usize = 4;

pub(crate) fn is_index(media_type: &str) -> bool {
    media_type.contains("index") || media_type.contains("manifest.list")
}

/// Writes a layout.
pub(crate) struct Writer {
    folder: PathBuf,
}

impl Writer {
    pub(crate) fn create(folder: &Path) -> Result<Writer, LayoutError> {
        let blobs = folder.join("blobs/sha256");
        fs::create_dir_all(&blobs).map_err(|e| at(&blobs, e))?;
        Ok(Writer { folder: folder.to_owned() })
    }

    /// The folder for files without a digest yet, on the same file system as the blobs.
    pub(crate) fn temporary(&self) -> Result<tempfile::NamedTempFile, LayoutError> {
        tempfile::NamedTempFile::new_in(&self.folder).map_err(|e| at(&self.folder, e))
    }

    /// A folder for temporary files.
    pub(crate) fn temporary_folder(&self) -> Result<tempfile::TempDir, LayoutError> {
        tempfile::TempDir::new_in(&self.folder).map_err(|e| at(&self.folder, e))
    }

    /// The path of a blob, which need not exist yet.
    pub(crate) fn path(&self, digest: &str) -> Result<PathBuf, LayoutError> {
        blob_path(&self.folder, digest)
    }

    pub(crate) fn keep(&self, file: tempfile::NamedTempFile, digest: &str) -> Result<(), LayoutError> {
        let path = blob_path(&self.folder, digest)?;
        file.persist(&path).map_err(|e| at(&path, e.error))?;
        Ok(())
    }

    pub(crate) fn blob(&self, bytes: &[u8]) -> Result<String, LayoutError> {
        let digest = digest_of(bytes);
        let path = blob_path(&self.folder, &digest)?;
        fs::write(&path, bytes).map_err(|e| at(&path, e))?;
        Ok(digest)
    }

    /// Adds a blob from another layout, without a copy if the file system allows it.
    pub(crate) fn take(&self, digest: &str, from: &Path) -> Result<(), LayoutError> {
        let to = blob_path(&self.folder, digest)?;
        if to.exists() || fs::hard_link(from, &to).is_ok() {
            return Ok(());
        }
        fs::copy(from, &to).map(|_| ()).map_err(|e| at(from, e))
    }

    /// Writes manifest and index, which complete the layout. Blobs that the image does not name, such as layers of an earlier
    /// stage, are removed.
    pub(crate) fn finish(&self, manifest: Value, reference: &str) -> Result<Layout, LayoutError> {
        let bytes = manifest.to_string().into_bytes();
        let digest = self.blob(&bytes)?;
        let index = json!({
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [{
                "mediaType": MANIFEST,
                "digest": digest,
                "size": bytes.len(),
                "annotations": {"org.opencontainers.image.ref.name": reference},
            }],
        });
        for (name, value) in [("oci-layout", json!({"imageLayoutVersion": "1.0.0"})), ("index.json", index)] {
            let path = self.folder.join(name);
            fs::write(&path, value.to_string()).map_err(|e| at(&path, e))?;
        }
        let layout = Layout::of(&self.folder, digest, manifest);
        let blobs = self.folder.join("blobs/sha256");
        let mut kept: Vec<PathBuf> =
            layout.blobs().iter().map(|(digest, _)| layout.blob(digest)).collect::<Result<_, _>>()?;
        kept.push(layout.blob(&layout.digest)?);
        for entry in fs::read_dir(&blobs).map_err(|e| at(&blobs, e))? {
            let path = entry.map_err(|e| at(&blobs, e))?.path();
            if !kept.contains(&path) {
                fs::remove_file(&path).map_err(|e| at(&path, e))?;
            }
        }
        Ok(layout)
    }
}

pub(crate) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The entry of an index for linux on this architecture. `place` names the index in errors.
pub(crate) fn choose(place: &str, list: &Value, architecture: &str) -> Result<Value, LayoutError> {
    let entries = list["manifests"].as_array().cloned().unwrap_or_default();
    let of = |e: &Value| text(&e["platform"]["architecture"]);
    let fits = |e: &&Value| of(e) == architecture && text(&e["platform"]["os"]) == "linux";
    match (entries.as_slice(), entries.iter().find(fits)) {
        (_, Some(entry)) => Ok(entry.clone()),
        ([entry], None) if entry["platform"].is_null() => Ok(entry.clone()),
        ([], None) => {
            Err(LayoutError::Form { path: place.to_owned(), what: "the index lists no image".into() })
        }
        _ => Err(LayoutError::NoSuchArchitecture {
            place: place.to_owned(),
            architecture: architecture.to_owned(),
            there: entries.iter().map(of).collect::<Vec<_>>().join(", "),
        }),
    }
}

pub(crate) fn blob_path(folder: &Path, digest: &str) -> Result<PathBuf, LayoutError> {
    match digest.strip_prefix("sha256:") {
        Some(hash) if hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Ok(folder.join("blobs/sha256").join(hash))
        }
        _ => Err(form(folder, &format!("`{digest}` is not a sha256 digest"))),
    }
}

fn read_json(path: &Path) -> Result<Value, LayoutError> {
    let bytes = fs::read(path).map_err(|e| at(path, e))?;
    serde_json::from_slice(&bytes).map_err(|e| form(path, &e.to_string()))
}

pub(crate) fn at(path: &Path, error: io::Error) -> LayoutError {
    if disk::is_full(&error) {
        return LayoutError::Full { path: path.display().to_string(), why: disk::full(path) };
    }
    LayoutError::Io { path: path.display().to_string(), error }
}

fn form(path: &Path, what: &str) -> LayoutError {
    LayoutError::Form { path: path.display().to_string(), what: what.to_owned() }
}

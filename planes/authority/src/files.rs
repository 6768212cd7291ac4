//! An authority's files: its key, which only the owner can read, and its root certificate.

use escale_base::{PlaneError, error::Context as _};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use std::{
    fs, io,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Reads the key; creates it if there is none. Two processes that open a new folder at the same time get the same key.
pub(crate) fn key(folder: &Path, name: &str) -> Result<KeyPair, PlaneError> {
    let path = folder.join(format!("{name}.key.pem"));
    let pem = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(folder, &path)?,
        read => read.machine(|| format!("read the private key {}", path.display()))?,
    };
    KeyPair::from_pem(&pem).map_err(|error| {
        PlaneError::machine(format!(
            "{} is not a private key. Restore it from a backup, or delete the folder {} for new authorities, which every \
             browser must trust anew",
            path.display(),
            folder.display()
        ))
        .because(error.to_string())
    })
}

fn create(folder: &Path, path: &Path) -> Result<String, PlaneError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
        .map_err(|error| PlaneError::plane("cannot generate a key").because(error.to_string()))?;
    let what = || format!("write the private key {}", path.display());
    let new = write_new(folder, &key.serialize_pem()).machine(what)?;
    // A link instead of a rename: it fails if another process has created the key meanwhile.
    let linked = fs::hard_link(&new, path);
    fs::remove_file(&new).machine(what)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        linked => linked.machine(what)?,
    }
    fs::read_to_string(path).machine(|| format!("read the private key {}", path.display()))
}

/// Replaces the root certificate as a whole.
pub(crate) fn write_root(folder: &Path, name: &str, pem: &str) -> Result<(), PlaneError> {
    let path = root_path(folder, name);
    let replaced = write_new(folder, pem).and_then(|new| fs::rename(new, &path));
    replaced.machine(|| format!("write the root certificate {}", path.display()))
}

/// The root certificate, if there is one.
pub(crate) fn read_root(folder: &Path, name: &str) -> Result<Option<String>, PlaneError> {
    let path = root_path(folder, name);
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.machine(|| format!("read the root certificate {}", path.display())).map(Some),
    }
}

pub(crate) fn root_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.pem"))
}

/// A file of a name that no other process uses, on disk when this returns.
fn write_new(folder: &Path, text: &str) -> io::Result<PathBuf> {
    let path = folder.join(format!(".new-{:016x}", rand::random::<u64>()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(path)
}

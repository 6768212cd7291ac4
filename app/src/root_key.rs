//! The account's root key: random for each installation, or fixed by the environment.
//!
//! Two files of the home contain root keys, readable by their owner only: the installation's own key, created once, and the
//! key that the running daemon accepts, which differs if the environment fixes it. While a daemon runs, the command line reads
//! the second, so that both agree.

use crate::{home::Home, lock};
use anyhow::{Context, Result, bail};
use escale_base::{Secret, ids};
use escale_wiring::RootKey;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

const ID: &str = "ESCALE_ACCESS_KEY";
const SECRET: &str = "ESCALE_SECRET_KEY";

/// The length of an access key's id: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKey.html>. AWS's lower
/// limit of 16 does not apply, because many scripts for local clouds use `test`.
const ID_LENGTH: std::ops::RangeInclusive<usize> = 1..=128;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stored {
    access_key_id: String,
    secret_access_key: String,
}

/// The key of a starting daemon: the environment's, otherwise the installation's own, which the first start creates.
pub(crate) fn of_daemon(home: &Home) -> Result<RootKey> {
    if let Some(fixed) = fixed()? {
        return Ok(fixed);
    }
    let path = home.root_key();
    match read(&path)? {
        Some(key) => Ok(key),
        None => {
            make(&path).with_context(|| format!("cannot create the root key {}", path.display()))?;
            read(&path)?.with_context(|| format!("{} was removed while the daemon started", path.display()))
        }
    }
}

/// Writes for the command line which key this daemon accepts. Must be called by the holder of the daemon's lock, before it
/// writes its pid.
pub(crate) fn publish(home: &Home, key: &RootKey) -> Result<()> {
    let path = home.root_key_in_use();
    let new = path.with_extension("new");
    let written = (|| {
        // Only the holder of the lock writes this file, so an existing one was left by a daemon that died.
        remove(&new)?;
        write(&new, key)?;
        fs::rename(&new, &path)
    })();
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// The key for a client on this host: the environment's, otherwise the running daemon's, otherwise the installation's own.
pub(crate) fn find(home: &Home) -> Result<RootKey> {
    if let Some(fixed) = fixed()? {
        return Ok(fixed);
    }
    let is_running = lock::running(home)?.is_some();
    let path = if is_running { home.root_key_in_use() } else { home.root_key() };
    match read(&path)? {
        Some(key) => Ok(key),
        None if is_running => bail!(
            "the running daemon has not written its root key to {}, so it is an older version. Restart it: run `escale \
             stop`, then `escale start`",
            path.display()
        ),
        None => bail!(
            "the installation in {} has no root key yet. Run `escale start`: the first start creates one",
            home.path().display()
        ),
    }
}

/// A new random key.
pub(crate) fn random() -> RootKey {
    RootKey { id: format!("AKIA{}", ids::random_upper(16)), secret: Secret::new(ids::random_hex(40)) }
}

/// The key that the environment fixes.
fn fixed() -> Result<Option<RootKey>> {
    let get = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    pair(get(ID), get(SECRET))
}

fn pair(id: Option<String>, secret: Option<String>) -> Result<Option<RootKey>> {
    match (id, secret) {
        (None, None) => Ok(None),
        (Some(_), None) => bail!("{ID} is set and {SECRET} is not. Set both to fix the root key, or neither"),
        (None, Some(_)) => bail!("{SECRET} is set and {ID} is not. Set both to fix the root key, or neither"),
        (Some(id), Some(secret)) => {
            // The id precedes `/` in a signature's credential scope, so other characters would be ambiguous.
            let is_word = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
            if !ID_LENGTH.contains(&id.len()) || !id.bytes().all(is_word) {
                bail!("{ID}={id}: the id of an access key must be 1 to 128 letters, digits or underscores");
            }
            if !secret.bytes().all(|c| c.is_ascii_graphic()) {
                bail!("{SECRET}: a secret key must be printable ASCII without spaces");
            }
            Ok(Some(RootKey { id, secret: Secret::new(secret) }))
        }
    }
}

fn read(path: &Path) -> Result<Option<RootKey>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Err(error).with_context(|| {
                format!(
                    "the root key in {} is readable by its owner only. Run this command as that user, for example with sudo, \
                     or set {ID} and {SECRET}",
                    path.display()
                )
            });
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    // The parser's error is dropped, because it may quote the secret.
    let Ok(Stored { access_key_id, secret_access_key }) = serde_json::from_slice(&text) else {
        bail!(
            "the root key in {} is damaged. Remove the file and restart the daemon: it creates a new key and keeps \
             everything else",
            path.display()
        );
    };
    Ok(Some(RootKey { id: access_key_id, secret: Secret::new(secret_access_key) }))
}

/// Creates the installation's key atomically. If two daemons start at once, both use the key of the first.
fn make(path: &Path) -> std::io::Result<()> {
    let new = path.with_extension(format!("{}.new", std::process::id()));
    remove(&new)?;
    write(&new, &random())?;
    // A link, unlike a rename, never replaces a key that is in use already.
    let linked = match fs::hard_link(&new, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    };
    remove(&new)?;
    linked?;
    let folder = path.parent().ok_or(ErrorKind::InvalidInput)?;
    File::open(folder)?.sync_all()
}

fn write(path: &Path, key: &RootKey) -> std::io::Result<()> {
    let stored = Stored { access_key_id: key.id.clone(), secret_access_key: key.secret.reveal().clone() };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    serde_json::to_writer(&mut file, &stored)?;
    file.write_all(b"\n")?;
    file.sync_all()
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn environment_must_set_both_variables_or_neither() {
        let pair = |id: &str, secret: &str| {
            let set = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
            pair(set(id), set(secret)).map(|key| key.map(|k| (k.id, k.secret.reveal().clone())))
        };
        assert_eq!(pair("", "").unwrap(), None);
        assert_eq!(pair("test", "te/st+").unwrap(), Some(("test".into(), "te/st+".into())));
        for (id, secret, why) in [
            ("test", "", "ESCALE_SECRET_KEY is not"),
            ("", "test", "ESCALE_ACCESS_KEY is not"),
            ("te/st", "test", "letters, digits"),
            ("te'st", "test", "letters, digits"),
            ("test", "te st", "printable"),
        ] {
            let error = pair(id, secret).unwrap_err().to_string();
            assert!(error.contains(why), "{id} {secret}: {error}");
        }
    }

    #[test]
    fn key_is_created_once_and_readable_by_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root-key.json");
        assert!(read(&path).unwrap().is_none());
        make(&path).unwrap();
        let first = read(&path).unwrap().unwrap();
        make(&path).unwrap();
        let second = read(&path).unwrap().unwrap();
        assert_eq!((first.id.clone(), first.secret.reveal()), (second.id, second.secret.reveal()));
        assert!(first.id.starts_with("AKIA") && first.id.len() == 20, "{}", first.id);
        assert_eq!(first.secret.reveal().len(), 40);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing but the key stays");
    }

    #[test]
    fn error_about_a_damaged_key_does_not_quote_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root-key.json");
        fs::write(&path, r#"{"accessKeyId":"AKIA","secretAccessKey":"hush"#).unwrap();
        let error = format!("{:#}", read(&path).unwrap_err());
        assert!(error.contains("is damaged") && !error.contains("hush"), "{error}");
    }
}

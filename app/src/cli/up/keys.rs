//! The key pair that signs URLs: created once for an application, kept in the home until `down`.

use crate::{cli::application::key_file, home::Home};
use anyhow::{Context, Result};
use rsa::{
    RsaPrivateKey, RsaPublicKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding},
};
use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

/// The size of RSA keys that CloudFront accepts.
const BITS: usize = 2048;

pub(crate) struct Pair {
    pub(crate) public_pem: String,
    pub(crate) private_pem: String,
}

/// The key pair of a stack. It is the same each time, so that a later `up` does not invalidate URLs that users hold.
pub(crate) fn pair(home: &Home, stack: &str) -> Result<Pair> {
    let path = key_file(home, stack);
    let private = match fs::read_to_string(&path) {
        Ok(text) => RsaPrivateKey::from_pkcs8_pem(&text)
            .with_context(|| format!("the key for signed URLs in {} is damaged", path.display()))?,
        Err(_) => make(&path)?,
    };
    halves(&private)
}

/// A new key pair that is not stored on this machine.
pub(crate) fn new_pair() -> Result<Pair> {
    halves(&generate()?)
}

fn halves(private: &RsaPrivateKey) -> Result<Pair> {
    let public_pem = RsaPublicKey::from(private).to_public_key_pem(LineEnding::LF)?;
    let private_pem = private.to_pkcs8_pem(LineEnding::LF)?.to_string();
    Ok(Pair { public_pem, private_pem })
}

fn generate() -> Result<RsaPrivateKey> {
    RsaPrivateKey::new(&mut rsa::rand_core::OsRng, BITS).context("cannot generate an RSA key")
}

/// The private key of a deployed stack.
pub(crate) fn private(home: &Home, stack: &str) -> Result<RsaPrivateKey> {
    let path = key_file(home, stack);
    let text = fs::read_to_string(&path).with_context(|| {
        format!(
            "cannot read the key for signed URLs of the stack {stack}, {}. Run `escale up` to create it",
            path.display()
        )
    })?;
    RsaPrivateKey::from_pkcs8_pem(&text)
        .with_context(|| format!("the key for signed URLs in {} is damaged", path.display()))
}

fn make(path: &PathBuf) -> Result<RsaPrivateKey> {
    let key = generate()?;
    let text = key.to_pkcs8_pem(LineEnding::LF)?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    Ok(key)
}

//! The real authorities.

use crate::{Authority, Issued, Leaf, Purpose, files, keys, root, sign};
use async_trait::async_trait;
use escale_base::{Clock, PlaneError, error::Context as _};
use escale_tls::x509;
use rcgen::{Issuer, KeyPair};
use std::{
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Both authorities of an installation, in one folder. Cheap to clone.
#[derive(Clone)]
pub struct Authorities(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    /// In the roots' names, so that those of two installations differ.
    tag: String,
    clock: Clock,
    browsers: KeyPair,
    workloads: KeyPair,
    /// Held while a root is read, signed anew and written.
    changing: Mutex<()>,
}

/// Browsers resolve every name below it to this machine.
const ALWAYS: &str = "localhost";

impl Authorities {
    /// Opens the folder, and creates it with new keys if it does not exist.
    pub fn open(folder: &Path, tag: &str, clock: Clock) -> Result<Authorities, PlaneError> {
        let what =
            || format!("create the folder {} for the keys of the certificate authorities", folder.display());
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).machine(what)?;
        // An earlier program may have created it with more permissions.
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).machine(what)?;
        Ok(Authorities(Arc::new(Inner {
            browsers: files::key(folder, name(Purpose::Browsers))?,
            workloads: files::key(folder, name(Purpose::Workloads))?,
            folder: folder.to_owned(),
            tag: tag.to_owned(),
            clock,
            changing: Mutex::new(()),
        })))
    }

    /// Extends the domains that the browsers' root is valid for. Returns the root.
    pub fn permit(&self, domains: &[String]) -> Result<String, PlaneError> {
        self.0.root(Purpose::Browsers, domains)
    }

    /// The file of a root certificate. [`Authority::root`] creates it.
    pub fn root_file(&self, purpose: Purpose) -> PathBuf {
        files::root_path(&self.0.folder, name(purpose))
    }
}

/// The files of both root certificates in this folder. A file may not exist yet.
pub fn root_files(folder: &Path) -> Vec<PathBuf> {
    [Purpose::Browsers, Purpose::Workloads].map(|purpose| root_file(folder, purpose)).to_vec()
}

#[async_trait]
impl Authority for Authorities {
    async fn issue(&self, purpose: Purpose, leaf: Leaf) -> Result<Issued, PlaneError> {
        let inner = Arc::clone(&self.0);
        // An RSA key takes a second of computation.
        let issued = tokio::task::spawn_blocking(move || inner.issue(purpose, &leaf)).await;
        issued
            .map_err(|error| PlaneError::plane("issuing a certificate panicked").because(error.to_string()))?
    }

    fn root(&self, purpose: Purpose) -> Result<String, PlaneError> {
        self.0.root(purpose, &[])
    }
}

impl Inner {
    fn key(&self, purpose: Purpose) -> &KeyPair {
        match purpose {
            Purpose::Browsers => &self.browsers,
            Purpose::Workloads => &self.workloads,
        }
    }

    fn root(&self, purpose: Purpose, more: &[String]) -> Result<String, PlaneError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let known = files::read_root(&self.folder, name(purpose))?;
        let facts = known.as_deref().and_then(|pem| x509::read(pem).ok());
        let mut permitted = facts.as_ref().map_or_else(Vec::new, |facts| facts.permitted.clone());
        let missing: Vec<String> = match purpose {
            Purpose::Browsers => std::iter::once(ALWAYS.to_owned()).chain(more.iter().cloned()).collect(),
            Purpose::Workloads => Vec::new(),
        };
        let missing: Vec<String> =
            missing.into_iter().filter(|domain| !permitted.iter().any(|p| contains(p, domain))).collect();
        if let (Some(pem), Some(_), true) = (known, facts, missing.is_empty()) {
            return Ok(pem);
        }
        permitted.extend(missing);
        let pem = root::sign(purpose, &self.tag, &permitted, self.key(purpose), self.clock.now())?;
        files::write_root(&self.folder, name(purpose), &pem)?;
        Ok(pem)
    }

    fn issue(&self, purpose: Purpose, leaf: &Leaf) -> Result<Issued, PlaneError> {
        let chain_pem = self.root(purpose, &[])?;
        let params = root::params(purpose, &self.tag, &[]);
        let issuer = Issuer::from_params(&params, self.key(purpose));
        sign::leaf(&issuer, leaf, &keys::generate(leaf.key)?, chain_pem)
    }
}

/// The file of a root certificate in the folder of the authorities. It may not exist yet.
pub fn root_file(folder: &Path, purpose: Purpose) -> PathBuf {
    files::root_path(folder, name(purpose))
}

/// Whether a name below `domain`, or `domain` itself, is below `of`.
fn contains(of: &str, domain: &str) -> bool {
    domain.eq_ignore_ascii_case(of)
        || domain
            .to_ascii_lowercase()
            .strip_suffix(&of.to_ascii_lowercase())
            .is_some_and(|rest| rest.ends_with('.'))
}

fn name(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Browsers => "browsers",
        Purpose::Workloads => "workloads",
    }
}

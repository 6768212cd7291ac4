//! The certificates that connections trust: those of the system, or of the file that `SSL_CERT_FILE` names.

use crate::{Error, Result};
use escale_tls::client::BUNDLES;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

/// A file of certificates, read again when it changes: a certificate that was just added must not need a restart.
#[derive(Debug)]
pub struct Roots {
    file: Option<PathBuf>,
    read: Mutex<Option<(SystemTime, Arc<ClientConfig>)>>,
}

impl Roots {
    /// `file` replaces the system's bundle.
    pub fn new(file: Option<PathBuf>) -> Roots {
        Roots { file, read: Mutex::default() }
    }

    pub fn from_environment() -> Roots {
        Roots::new(std::env::var_os("SSL_CERT_FILE").filter(|v| !v.is_empty()).map(PathBuf::from))
    }

    /// The certificates as they are now.
    pub fn pem(&self) -> Result<String> {
        let file = self.path()?;
        let read = std::fs::read_to_string(&file);
        read.map_err(|e| Error::Roots { path: file.display().to_string(), why: e.to_string() })
    }

    fn path(&self) -> Result<PathBuf> {
        let bundle = || BUNDLES.iter().map(PathBuf::from).find(|path| path.exists());
        let missing = || Error::Roots {
            path: BUNDLES[0].into(),
            why: "the file does not exist. Install the package ca-certificates".into(),
        };
        self.file.clone().or_else(bundle).ok_or_else(missing)
    }

    /// The configuration of a TLS client.
    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>> {
        let file = self.path()?;
        let bad = |why: String| Error::Roots { path: file.display().to_string(), why };
        let changed = std::fs::metadata(&file).and_then(|m| m.modified()).map_err(|e| bad(e.to_string()))?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, config)) = read.as_ref().filter(|(at, _)| *at == changed) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(load(&file).map_err(bad)?);
        *read = Some((changed, Arc::clone(&config)));
        Ok(config)
    }
}

fn load(file: &Path) -> Result<ClientConfig, String> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|e| e.to_string())? {
        // As in other programs, a certificate that cannot be used does not make the others useless.
        let _ = store.add(certificate.map_err(|e| e.to_string())?);
    }
    if store.is_empty() {
        return Err("it has no certificate that can be used".into());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|e| e.to_string())?;
    let mut config = builder.with_root_certificates(store).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

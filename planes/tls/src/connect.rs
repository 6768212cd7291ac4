//! The client's side: connections to servers with a certificate of a trusted authority.

use crate::{HANDSHAKE, Version, compile::version};
use escale_base::PlaneError;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{io, sync::Arc};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Opens TLS on connections. Cheap to clone.
#[derive(Clone)]
pub struct Connector(TlsConnector);

impl Connector {
    /// `roots_pem` are the certificates of the trusted authorities. They are trusted for every name: name constraints of a root
    /// limit what those who installed it accept, and the caller decides here.
    pub fn new(roots_pem: &[String], versions: &[Version]) -> Result<Connector, PlaneError> {
        let mut roots = RootCertStore::empty();
        for pem in roots_pem {
            let root = CertificateDer::from_pem_slice(pem.as_bytes())
                .map_err(|error| PlaneError::asked(format!("a root certificate is not PEM: {error}")))?;
            let added = roots.add(root);
            added.map_err(|error| PlaneError::asked(format!("a root certificate is invalid: {error}")))?;
        }
        for root in &mut roots.roots {
            root.name_constraints = None;
        }
        let versions: Vec<_> = versions.iter().copied().map(version).collect();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&versions)
            .map_err(|error| PlaneError::asked(format!("the TLS versions cannot be used: {error}")))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Connector(TlsConnector::from(Arc::new(config))))
    }

    /// Completes the handshake within [`HANDSHAKE`]. The server's certificate must be valid for `name`, a DNS name or an address.
    pub async fn connect(&self, name: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let handshake = self.0.connect(name, stream);
        timeout(HANDSHAKE, handshake).await.map_err(|_| io::ErrorKind::TimedOut)?
    }
}

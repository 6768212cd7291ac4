//! TLS towards servers: those whose certificates are verified, and those whose are not.

use crate::HANDSHAKE;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Where distributions keep the certificates that programs trust: Debian, Fedora, RHEL, openSUSE, Alpine.
pub const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The authorities whose certificates are accepted: the system's, and own ones. Files are read again when they change.
#[derive(Debug, Default)]
pub struct Trust {
    own: Vec<PathBuf>,
    read: Mutex<Option<Read>>,
}

type Read = (Vec<Option<SystemTime>>, Arc<WebPkiServerVerifier>);

impl Trust {
    /// `own`: files of root certificates that are accepted for every name. One that does not exist yet is left out.
    pub fn new(own: Vec<PathBuf>) -> Trust {
        Trust { own, read: Mutex::default() }
    }

    /// A handshake within [`HANDSHAKE`]. The server gets the first of `names`, and its certificate must be valid for one of them.
    pub async fn connect(&self, stream: TcpStream, names: &[&str]) -> io::Result<TlsStream<TcpStream>> {
        let names = names.iter().map(|name| server_name(name)).collect::<io::Result<Vec<_>>>()?;
        let first = names.first().cloned().ok_or(io::ErrorKind::InvalidInput)?;
        let verifier = AnyName { of: self.verifier()?, names };
        handshake(stream, first, Arc::new(verifier), &[b"http/1.1"]).await
    }

    fn verifier(&self) -> io::Result<Arc<WebPkiServerVerifier>> {
        let system = BUNDLES.iter().map(Path::new).find(|path| path.exists());
        let changed = |path: &Path| std::fs::metadata(path).and_then(|m| m.modified()).ok();
        let stamps: Vec<_> = self.own.iter().map(PathBuf::as_path).chain(system).map(changed).collect();
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, verifier)) = read.as_ref().filter(|(of, _)| *of == stamps) {
            return Ok(Arc::clone(verifier));
        }
        let mut store = RootCertStore::empty();
        for path in &self.own {
            add(&mut store, path);
        }
        // A root's name constraints protect programs that users configured to trust it. Here its owner is the one who verifies.
        for root in &mut store.roots {
            root.name_constraints = None;
        }
        if let Some(path) = system {
            add(&mut store, path);
        }
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::new(ring::default_provider()))
                .build()
                .map_err(io::Error::other)?;
        *read = Some((stamps, Arc::clone(&verifier)));
        Ok(verifier)
    }
}

/// As in other programs, a certificate that cannot be used does not make the others useless.
fn add(store: &mut RootCertStore, path: &Path) {
    let certificates = CertificateDer::pem_file_iter(path).into_iter().flatten();
    for certificate in certificates.filter_map(Result::ok) {
        let _ = store.add(certificate);
    }
}

/// A handshake within [`HANDSHAKE`] with a server whose certificate is not verified, whoever issued it and for whatever name.
/// `protocols` are offered by ALPN in this order.
pub async fn connect_unverified(
    stream: TcpStream,
    name: &str,
    protocols: &[&[u8]],
) -> io::Result<TlsStream<TcpStream>> {
    let verifier = Arc::new(Anyone(ring::default_provider()));
    handshake(stream, server_name(name)?, verifier, protocols).await
}

async fn handshake(
    stream: TcpStream,
    name: ServerName<'static>,
    verifier: Arc<dyn ServerCertVerifier>,
    protocols: &[&[u8]],
) -> io::Result<TlsStream<TcpStream>> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
    timeout(HANDSHAKE, handshake).await.map_err(|_| io::ErrorKind::TimedOut)?
}

fn server_name(name: &str) -> io::Result<ServerName<'static>> {
    ServerName::try_from(name.to_owned()).map_err(io::Error::other)
}

/// Accepts a certificate for any of the names.
#[derive(Debug)]
struct AnyName {
    of: Arc<WebPkiServerVerifier>,
    names: Vec<ServerName<'static>>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verify = |name: &ServerName<'_>| self.of.verify_server_cert(certificate, others, name, ocsp, now);
        let first = verify(name);
        if first.is_ok() {
            return first;
        }
        self.names.iter().find_map(|name| verify(name).ok()).map_or(first, Ok)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.of.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.of.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.of.supported_verify_schemes()
    }
}

/// Accepts every certificate. The handshake still proves that the server has the certificate's key.
#[derive(Debug)]
struct Anyone(CryptoProvider);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

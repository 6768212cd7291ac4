//! Opens connections: directly or through a proxy, with TLS or, on loopback, without.

use crate::{Error, Mirrors, Proxies, Result, Roots, address, mirrors::Origin, proxy::Proxy};
use rustls::pki_types::ServerName;
use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// The time for the kernel's first three attempts, and for a TLS handshake or a proxy's answer.
const CONNECT: Duration = Duration::from_secs(10);
/// Largest head of a proxy's answer.
const PROXY_HEAD_BYTES: usize = 8 * 1024;
/// Addresses of one name that are tried: one of each family and one more.
const ADDRESSES: usize = 3;

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The settings that decide how connections are opened.
#[derive(Debug)]
pub(crate) struct Connector {
    pub(crate) mirrors: Mirrors,
    pub(crate) proxies: Proxies,
    pub(crate) roots: Roots,
    /// Without it, only the hosts that the mirrors name are reached.
    pub(crate) has_internet: bool,
}

impl Connector {
    pub(crate) async fn connect(&self, origin: &Origin) -> Result<Box<dyn Stream>> {
        if !self.has_internet && !self.mirrors.names(origin) {
            return Err(Error::NoInternet { host: origin.authority() });
        }
        let tcp = match self.proxies.of(origin)? {
            Some(proxy) => {
                // The proxy resolves names itself, and decides which it serves. An address in the name is checked here.
                if let Some(address) = origin.address() {
                    self.check(origin, address)?;
                }
                tunnel(&proxy, origin).await?
            }
            None => self.direct(origin).await?,
        };
        if !origin.is_tls {
            return Ok(Box::new(tcp));
        }
        let failed = |why: String| Error::Tls { host: origin.authority(), why };
        let name = ServerName::try_from(origin.host.clone()).map_err(|e| failed(e.to_string()))?;
        let connector = tokio_rustls::TlsConnector::from(self.roots.config()?);
        let secured = timeout(CONNECT, connector.connect(name, tcp)).await;
        let secured = secured.map_err(|_| failed(format!("no handshake within {CONNECT:?}")))?;
        Ok(Box::new(secured.map_err(|e| failed(tls_reason(&e)))?))
    }

    /// Connects to an address that was checked: a second look-up could give another one.
    async fn direct(&self, origin: &Origin) -> Result<TcpStream> {
        let host =
            if origin.is_loopback() && origin.address().is_none() { "127.0.0.1" } else { &origin.host };
        let no_host = |why: String| Error::NoHost { host: origin.host.clone(), why };
        let found = timeout(CONNECT, tokio::net::lookup_host((host, origin.port))).await;
        let found = found.map_err(|_| no_host(format!("no answer within {CONNECT:?}")))?;
        let found: Vec<SocketAddr> = found.map_err(|e| no_host(reason(&e)))?.collect();
        for address in &found {
            self.check(origin, address.ip())?;
        }
        let mut last = no_host("no such host".into());
        for address in found.into_iter().take(ADDRESSES) {
            match dial(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Error::Unreachable { address: address.to_string(), error },
            }
        }
        Err(last)
    }

    /// One forbidden address among several is enough to refuse a name: it may be an attempt to reach it.
    fn check(&self, origin: &Origin, address: IpAddr) -> Result<()> {
        if address::is_public(address) || self.mirrors.names(origin) {
            Ok(())
        } else {
            Err(Error::Forbidden { host: origin.authority(), address })
        }
    }
}

async fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    let connected = timeout(CONNECT, TcpStream::connect(address)).await;
    connected.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "i/o timeout")))
}

async fn tunnel(proxy: &Proxy, origin: &Origin) -> Result<TcpStream> {
    let at = format!("{}:{}", proxy.host, proxy.port);
    let failed = |why: String| Error::Proxy { proxy: format!("http://{at}"), why };
    let open = async {
        let mut stream = TcpStream::connect((proxy.host.as_str(), proxy.port)).await?;
        let host = if origin.host.contains(':') { format!("[{}]", origin.host) } else { origin.host.clone() };
        let target = format!("{host}:{}", origin.port);
        let mut head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
        if let Some(value) = &proxy.authorization {
            head.push_str(&format!("Proxy-Authorization: {}\r\n", value.reveal()));
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).await?;
        // Byte by byte, because what follows the head belongs to TLS.
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() == PROXY_HEAD_BYTES {
                return Err(io::Error::other(format!("its answer is longer than {PROXY_HEAD_BYTES} bytes")));
            }
            answer.push(stream.read_u8().await?);
        }
        let line = String::from_utf8_lossy(&answer);
        let line = line.lines().next().unwrap_or_default().to_owned();
        match line.split(' ').nth(1) {
            Some(status) if status.starts_with('2') => Ok(stream),
            _ => Err(io::Error::other(format!("it answered `{line}` to CONNECT {target}"))),
        }
    };
    let opened = timeout(CONNECT, open).await.map_err(|_| failed(format!("no tunnel within {CONNECT:?}")))?;
    opened.map_err(|e| failed(reason(&e)))
}

/// The words of Go's TLS library where it has some: AWS's messages have them, so users search for them.
fn tls_reason(error: &io::Error) -> String {
    use rustls::{CertificateError, Error as Tls};
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Tls>());
    let x509 = |why: &str| format!("failed to verify certificate: x509: {why}");
    match tls {
        Some(Tls::InvalidCertificate(CertificateError::UnknownIssuer)) => x509(
            "certificate signed by unknown authority. Add the authority to the system's certificates, or name its file in \
             SSL_CERT_FILE",
        ),
        Some(Tls::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => x509("certificate has expired or is not yet valid"),
        Some(Tls::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => x509("certificate is not valid for this name"),
        Some(Tls::InvalidCertificate(other)) => x509(&format!("{other:?}")),
        Some(other) => other.to_string(),
        None => reason(error),
    }
}

/// The resolver's text without the prefix that the standard library adds.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    if text == "Name or service not known" { "no such host".into() } else { text.to_owned() }
}

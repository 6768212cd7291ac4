//! A small HTTP client: one connection per request, TLS for https.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Uri, client::conn::http1};
use hyper_util::rt::TokioIo;
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// No answer takes longer; an endpoint that is silent for this long is down.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The body of a successful GET (2xx).
pub async fn get(url: &str) -> Result<Bytes, Error> {
    send(Request::get(url).body(Full::default())?).await
}

/// Sends a request with an absolute URI; any status but 2xx is an error that contains the answer.
pub async fn send(request: Request<Full<Bytes>>) -> Result<Bytes, Error> {
    let what = format!("{} {}", request.method(), request.uri().path());
    match tokio::time::timeout(TIMEOUT, exchange(request)).await {
        Ok(outcome) => outcome.map_err(|e| format!("{what}: {e}").into()),
        Err(_) => Err(format!("{what}: no answer within {} s", TIMEOUT.as_secs()).into()),
    }
}

async fn exchange(mut request: Request<Full<Bytes>>) -> Result<Bytes, Error> {
    let uri = request.uri().clone();
    let host = uri.host().ok_or("no host in the URL")?.to_owned();
    let secure = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    if !request.headers().contains_key("host") {
        let authority = uri.authority().ok_or("no host in the URL")?;
        request.headers_mut().insert("host", authority.as_str().parse()?);
    }
    let path = uri.path_and_query().map_or("/", |p| p.as_str());
    *request.uri_mut() = path.parse::<Uri>()?;
    let stream = TcpStream::connect((host.as_str(), port)).await?;
    if !secure {
        return over(stream, request).await;
    }
    let config = ClientConfig::builder().with_root_certificates(roots()?).with_no_client_auth();
    let stream = TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(host)?, stream).await?;
    over(stream, request).await
}

/// Mozilla's authorities, and those of the file that `SSL_CERT_FILE` names, as in other programs.
fn roots() -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(file) = std::env::var_os("SSL_CERT_FILE") {
        roots.add_parsable_certificates(CertificateDer::pem_file_iter(file)?.filter_map(Result::ok));
    }
    Ok(roots)
}

async fn over<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Bytes, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    if !status.is_success() {
        let text: String = String::from_utf8_lossy(&body).chars().take(500).collect();
        return Err(format!("{status}: {text}").into());
    }
    Ok(body)
}

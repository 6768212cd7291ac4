//! Checks an endpoint from the cloud's Internet, as a client outside of the cloud reaches it.
//!
//! Names of the cloud are resolved by its public zones, others by the host; those of AWS's own services do not exist.
//!
//! Source: <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html>

use crate::compile;
use async_trait::async_trait;
use bytes::Bytes;
use escale_dns::{Code, Dns, Kind, View};
use escale_network::{Network, Place};
use escale_service::Internet;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

/// AWS's limits: for a connection that is used for HTTP, for one that is not, for a status, for a body to search.
const CONNECT_FOR_HTTP: Duration = Duration::from_secs(4);
const CONNECT: Duration = Duration::from_secs(10);
const STATUS: Duration = Duration::from_secs(2);
const BODY: Duration = Duration::from_secs(2);

/// A string is searched in this part of the body.
const SEARCHED_BYTES: usize = 5120;

/// What a check connects to, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// `None`: the addresses of `name`.
    pub(crate) address: Option<Ipv4Addr>,
    pub(crate) name: Option<String>,
    pub(crate) port: u16,
    pub(crate) http: Option<HttpCheck>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpCheck {
    pub(crate) tls: bool,
    /// The name is sent in the handshake.
    pub(crate) sni: bool,
    pub(crate) path: String,
    pub(crate) search: Option<String>,
    pub(crate) user_agent: String,
}

#[async_trait]
pub(crate) trait Checks: Send + Sync + 'static {
    /// One check. Both results are texts in AWS's form, without the word before the colon.
    async fn check(&self, endpoint: &Endpoint) -> Result<String, String>;
}

pub(crate) struct Checker {
    pub(crate) network: Arc<dyn Network>,
    pub(crate) dns: Arc<dyn Dns>,
    pub(crate) internet: Internet,
}

#[async_trait]
impl Checks for Checker {
    async fn check(&self, endpoint: &Endpoint) -> Result<String, String> {
        let address = match (endpoint.address, &endpoint.name) {
            (Some(address), _) => address,
            (None, Some(name)) => self.resolve(name).await?,
            (None, None) => return Err("The health check has neither an address nor a name".to_owned()),
        };
        let internet = self.network.namespace(&Place::Internet).map_err(|e| e.to_string())?;
        let within = if endpoint.http.is_some() { CONNECT_FOR_HTTP } else { CONNECT };
        let connecting = internet.tcp_connect((address, endpoint.port).into());
        let stream = match timeout(within, connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(format!("Connection failed: {error}")),
            Err(_) => {
                return Err(
                    "The health checker could not establish a connection within the timeout limit".into()
                );
            }
        };
        match &endpoint.http {
            None => Ok("TCP connection established".to_owned()),
            Some(http) => exchange(stream, address, endpoint, http).await,
        }
    }
}

impl Checker {
    /// One of the name's addresses, chosen at random.
    async fn resolve(&self, name: &str) -> Result<Ipv4Addr, String> {
        let failed = |why: &dyn std::fmt::Display| format!("DNS resolution failed: {why}");
        let answer = self.dns.ask(&View::Public, name, Kind::A).map_err(|e| failed(&e))?;
        // Answers of several records come in random order.
        let mut known = answer.records.iter().filter_map(|r| r.value.parse().ok());
        if let Some(address) = known.next() {
            return Ok(address);
        }
        let allowed = match &self.internet {
            Internet::Host { allowed_names } => allowed_names,
            Internet::None => return Err(failed(&"DNS response error code NXDOMAIN")),
        };
        let is_allowed =
            || allowed.iter().any(|allowed| crate::names::within(&dotted(name), &dotted(allowed)));
        if answer.code == Code::NoError || compile::is_withheld(name) && !is_allowed() {
            return Err(failed(&"the name has no address"));
        }
        let mut found = tokio::net::lookup_host((name, 0)).await.map_err(|e| failed(&e))?;
        let v4 = found.find_map(|address| match address.ip() {
            IpAddr::V4(v4) => Some(v4),
            IpAddr::V6(_) => None,
        });
        v4.ok_or_else(|| failed(&"the name has no IPv4 address"))
    }
}

fn dotted(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.').to_ascii_lowercase())
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

async fn exchange(
    stream: TcpStream,
    address: Ipv4Addr,
    endpoint: &Endpoint,
    http: &HttpCheck,
) -> Result<String, String> {
    let asking = async {
        let stream: Box<dyn Stream> = match &endpoint.name {
            Some(name) if http.tls && http.sni => Box::new(secured(stream, name).await?),
            // An address in the handshake is no server name.
            _ if http.tls => Box::new(secured(stream, &address.to_string()).await?),
            _ => Box::new(stream),
        };
        ask(stream, address, endpoint, http).await
    };
    let late = "The endpoint did not respond within the timeout limit";
    let (status, body) = timeout(STATUS, asking).await.map_err(|_| late.to_owned())??;
    let reason = status.canonical_reason().unwrap_or_default();
    let shown = format!("HTTP Status Code {}, {reason}", status.as_u16());
    if !(200..400).contains(&status.as_u16()) {
        return Err(shown);
    }
    let Some(search) = &http.search else { return Ok(shown) };
    let body = timeout(BODY, start_of(body))
        .await
        .map_err(|_| "Response body was not received within the timeout limit")?;
    let is_found = body.windows(search.len().max(1)).any(|part| part == search.as_bytes());
    if is_found {
        return Ok(format!("{shown}. Response body contains the search string"));
    }
    Err(format!(
        "{shown}. Response body does not contain the search string in its first {SEARCHED_BYTES} bytes"
    ))
}

async fn secured(stream: TcpStream, name: &str) -> Result<impl Stream + use<>, String> {
    // AWS does not verify the certificate.
    escale_tls::client::connect_unverified(stream, name, &[b"http/1.1"])
        .await
        .map_err(|e| format!("TLS handshake failed: {e}"))
}

/// The status and the body that follows it.
async fn ask(
    stream: Box<dyn Stream>,
    address: Ipv4Addr,
    endpoint: &Endpoint,
    http: &HttpCheck,
) -> Result<(StatusCode, Incoming), String> {
    let host = endpoint.name.clone().unwrap_or_else(|| address.to_string());
    let default = if http.tls { 443 } else { 80 };
    let host = if endpoint.port == default { host } else { format!("{host}:{}", endpoint.port) };
    let request = Request::get(&http.path)
        .header(header::HOST, host)
        .header(header::USER_AGENT, &http.user_agent)
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|e| e.to_string())?;
    let broken = |e: hyper::Error| format!("The connection was closed: {e}");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Ends with the body, or when the check gives up and drops it.
    tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(broken)?;
    Ok((answer.status(), answer.into_body()))
}

/// The part of the body that is searched. A broken body ends where it breaks.
async fn start_of(mut body: Incoming) -> Vec<u8> {
    let mut start = Vec::new();
    while start.len() < SEARCHED_BYTES
        && let Some(Ok(frame)) = body.frame().await
    {
        start.extend(frame.data_ref().into_iter().flatten());
    }
    start.truncate(SEARCHED_BYTES);
    start
}

//! Posts a message to an HTTP endpoint, from the cloud's Internet.
//!
//! Egress decides which addresses can be reached, as for tasks: never the machine itself or the networks around it. Names of the
//! cloud are resolved by its public zones, others by the host; those of AWS's own services do not exist.

use async_trait::async_trait;
use bytes::Bytes;
use escale_base::PlaneError;
use escale_dns::{Code, Dns, Kind, View};
use escale_network::{Network, Place};
use escale_service::{Cloud, Internet};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

/// How long AWS waits for an answer.
const WITHIN: Duration = Duration::from_secs(15);

/// The body of an answer is read this far, so that the endpoint can finish, and is not used.
const ANSWER_BYTES: usize = 64 * 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Post {
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

#[async_trait]
pub(crate) trait Posts: Send + Sync + 'static {
    /// Returns the status of the answer.
    async fn post(&self, post: Post) -> Result<u16, PlaneError>;
}

pub(crate) struct Poster {
    pub(crate) network: Arc<dyn Network>,
    pub(crate) dns: Arc<dyn Dns>,
    pub(crate) cloud: Arc<Cloud>,
}

#[async_trait]
impl Posts for Poster {
    async fn post(&self, post: Post) -> Result<u16, PlaneError> {
        let what = format!("cannot post to {}", post.url);
        let late = || PlaneError::machine(format!("{what}: no answer within {} seconds", WITHIN.as_secs()));
        match tokio::time::timeout(WITHIN, self.send(post)).await {
            Ok(sent) => sent.map_err(|why| PlaneError::machine(format!("{what}: {why}"))),
            Err(_) => Err(late()),
        }
    }
}

impl Poster {
    async fn send(&self, post: Post) -> Result<u16, String> {
        let uri: Uri = post.url.parse().map_err(|_| "the URL is invalid".to_owned())?;
        let (Some(host), port) = (uri.host(), uri.port_u16().unwrap_or(80)) else {
            return Err("the URL has no host".to_owned());
        };
        let internet = self.network.namespace(&Place::Internet).map_err(|e| e.to_string())?;
        let mut last = format!("'{host}' has no address that can be reached");
        for address in self.addresses(host).await? {
            match internet.tcp_connect((address, port).into()).await {
                Ok(stream) => return exchange(stream, &uri, &post).await,
                Err(error) => last = error.to_string(),
            }
        }
        Err(last)
    }

    /// The addresses of a host that are not the cloud's own loopback or one of a group.
    async fn addresses(&self, host: &str) -> Result<Vec<Ipv4Addr>, String> {
        // An IPv6 address of a URL is in brackets.
        let found = match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => vec![address],
            Ok(IpAddr::V6(_)) => return Err("IPv6 is not supported".to_owned()),
            Err(_) => self.resolve(host).await?,
        };
        Ok(found.into_iter().filter(is_unicast).collect())
    }

    async fn resolve(&self, host: &str) -> Result<Vec<Ipv4Addr>, String> {
        let answer = self.dns.ask(&View::Public, host, Kind::A).map_err(|e| e.to_string())?;
        if answer.code == Code::NoError && !answer.records.is_empty() {
            return Ok(answer.records.iter().filter_map(|r| r.value.parse().ok()).collect());
        }
        let Internet::Host { allowed_names } = &self.cloud.config.internet else {
            return Err(format!("the name '{host}' does not exist in this cloud"));
        };
        if is_of_aws(host) && !allowed_names.iter().any(|name| is_below(host, name)) {
            return Err(format!("'{host}' is a name of AWS's own. ESCALE_INTERNET_ALLOW={host} allows it"));
        }
        let found = tokio::net::lookup_host((host, 0)).await.map_err(|e| e.to_string())?;
        let v4 = |address: std::net::SocketAddr| match address.ip() {
            IpAddr::V4(v4) => Some(v4),
            IpAddr::V6(_) => None,
        };
        Ok(found.filter_map(v4).collect())
    }
}

/// Loopback of the cloud's Internet is not an endpoint. All other foreign addresses are checked by egress.
fn is_unicast(address: &Ipv4Addr) -> bool {
    !(address.is_loopback() || address.is_unspecified() || address.is_multicast() || address.is_broadcast())
}

fn is_below(host: &str, name: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == *name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'))
}

fn is_of_aws(host: &str) -> bool {
    ["amazonaws.com", "amazonaws.com.cn", "api.aws", "on.aws"].iter().any(|name| is_below(host, name))
}

async fn exchange(stream: tokio::net::TcpStream, uri: &Uri, post: &Post) -> Result<u16, String> {
    let path = uri.path_and_query().map_or("/", |p| p.as_str());
    let host = uri.authority().map(|a| a.as_str()).unwrap_or_default();
    // A name and a password of the URL are not part of the host.
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("host", host)
        .header("content-type", "text/plain; charset=UTF-8")
        .header("user-agent", "Amazon Simple Notification Service Agent")
        .header("accept-encoding", "gzip,deflate")
        .header("connection", "close");
    for (name, value) in &post.headers {
        request = request.header(*name, value);
    }
    let request = request.body(Full::new(Bytes::from(post.body.clone()))).map_err(|e| e.to_string())?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(|e| e.to_string())?;
        let status = answer.status().as_u16();
        // The status decides, whatever follows it.
        let _ = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
        Ok(status)
    };
    tokio::pin!(exchange, connection);
    tokio::select! {
        done = &mut exchange => done,
        // The connection ends once the answer is complete; then the exchange is, too.
        _ = &mut connection => exchange.await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_groups_are_no_endpoints() {
        for address in ["127.0.0.1", "127.9.9.9", "0.0.0.0", "224.0.0.1", "255.255.255.255"] {
            assert!(!is_unicast(&address.parse().unwrap()), "{address}");
        }
        assert!(is_unicast(&"198.18.200.1".parse().unwrap()));
    }

    #[test]
    fn names_of_aws_are_recognized() {
        for name in
            ["amazonaws.com", "sqs.eu-west-3.amazonaws.com", "SQS.EU-WEST-3.AMAZONAWS.COM.", "x.on.aws"]
        {
            assert!(is_of_aws(name), "{name}");
        }
        assert!(!is_of_aws("notamazonaws.com"));
    }
}

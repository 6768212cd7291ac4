//! A small AWS client: signs a request, sends it over TLS, reads the answer. The command line reaches the cloud, and AWS itself, only
//! through the API that users have, too.

use super::remote::Remote;
use crate::{home::Home, root_key, settings::Settings};
use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use escale_base::{Clock, limits::LOCAL_CONNECT_MS, path::percent_encode};
use escale_model::ServiceModel;
use escale_tls::client::Trust;
use escale_wire::Element;
use escale_wire::sigv4::{self, Content, Credentials, Signer};
use escale_wiring::RootKey;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// Pause between two requests to AWS for the same state.
const REMOTE_PAUSE: Duration = Duration::from_secs(2);

/// A handle on an AWS API: the daemon's, with the root key, or AWS itself.
#[derive(Clone)]
pub(crate) struct Client {
    to: To,
}

#[derive(Clone)]
enum To {
    Daemon(Daemon),
    Aws(Box<Remote>),
}

#[derive(Clone)]
struct Daemon {
    endpoint: String,
    region: String,
    home: Home,
    trust: Arc<Trust>,
    /// Read with the first request that needs it, because the first start of a daemon creates it.
    key: Arc<OnceLock<RootKey>>,
}

/// A request before it is signed.
pub(crate) struct Call {
    /// The name of its model.
    pub(crate) service: &'static str,
    pub(crate) signing_name: String,
    pub(crate) method: Method,
    pub(crate) path_and_query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

/// An AWS error response.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct Refused {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// A complete HTTP response.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    /// An operation of a service with a JSON protocol.
    fn json(service: &str, operation: &str, input: &Value) -> Result<Call> {
        let model = model(service)?;
        let headers = vec![
            (header::CONTENT_TYPE.to_string(), format!("application/x-amz-json-{}", model.json_version)),
            ("x-amz-target".to_owned(), format!("{}.{operation}", model.target_prefix)),
        ];
        Ok(Call::of(model, Method::POST, "/".to_owned(), headers, Bytes::from(input.to_string())))
    }

    /// An operation of a service with a query protocol. Parameters are named as on the wire: `Tags.member.1.Key`.
    pub(crate) fn query(service: &str, operation: &str, parameters: &[(String, String)]) -> Result<Call> {
        let model = model(service)?;
        let mut form = format!("Action={operation}&Version={}", model.api_version);
        for (name, value) in parameters {
            form.push_str(&format!("&{}={}", percent_encode(name), percent_encode(value)));
        }
        let kind = "application/x-www-form-urlencoded; charset=utf-8".to_owned();
        let headers = vec![(header::CONTENT_TYPE.to_string(), kind)];
        Ok(Call::of(model, Method::POST, "/".to_owned(), headers, Bytes::from(form)))
    }

    fn of(
        model: &ServiceModel,
        method: Method,
        path_and_query: String,
        headers: Vec<(String, String)>,
        body: Bytes,
    ) -> Call {
        let signing_name = model.signing_name.clone();
        Call { service: model.id, signing_name, method, path_and_query, headers, body }
    }
}

fn model(service: &str) -> Result<&'static ServiceModel> {
    escale_model::service(service).ok_or_else(|| anyhow!("the API models have no service {service}"))
}

impl Client {
    pub(crate) fn new(home: &Home, settings: &Settings) -> Client {
        Client {
            to: To::Daemon(Daemon {
                endpoint: settings.config.endpoint.clone(),
                region: settings.config.region.clone(),
                home: home.clone(),
                trust: Arc::new(Trust::new(vec![home.root_certificate()])),
                key: Arc::default(),
            }),
        }
    }

    /// A handle on AWS itself. [`super::remote::connect`] makes it, after it has checked the account.
    pub(crate) fn remote(remote: Remote) -> Client {
        Client { to: To::Aws(Box::new(remote)) }
    }

    /// AWS, if that is the target.
    pub(crate) fn as_remote(&self) -> Option<&Remote> {
        match &self.to {
            To::Daemon(_) => None,
            To::Aws(remote) => Some(remote),
        }
    }

    /// The command that deploys to the target, for errors.
    pub(crate) fn verb(&self) -> &'static str {
        if self.as_remote().is_some() { "escale deploy" } else { "escale up" }
    }

    /// Waits before the next look at a state that changes: `here` if the daemon answers; AWS limits how often one may ask.
    pub(crate) async fn pause(&self, here: Duration) {
        tokio::time::sleep(if self.as_remote().is_some() { here.max(REMOTE_PAUSE) } else { here }).await;
    }

    /// Whether the daemon's API answers. An established connection is not enough: the kernel accepts connections for a process
    /// that is dying, too.
    pub(crate) async fn answers(&self) -> bool {
        let To::Daemon(daemon) = &self.to else { return true };
        let request = Request::get("/").header(header::HOST, &daemon.endpoint).body(Full::default());
        let Ok(request) = request else { return false };
        matches!(tokio::time::timeout(Duration::from_secs(2), daemon.send(request, false)).await, Ok(Ok(_)))
    }

    /// Calls an operation of a service with a JSON protocol.
    pub(crate) async fn json(&self, service: &str, operation: &str, input: Value) -> Result<Value> {
        let answer = self.send(Call::json(service, operation, &input)?).await?;
        let value: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        if answer.status.is_success() {
            return Ok(value);
        }
        // Some services put a namespace before the code: `com.amazonaws.ecs#ClusterNotFoundException`.
        let code = value["__type"].as_str().unwrap_or("Unknown");
        let code = code.rsplit('#').next().unwrap_or(code).to_owned();
        let message = value["message"].as_str().or(value["Message"].as_str()).unwrap_or_default().to_owned();
        Err(Refused { code, message }.into())
    }

    /// Calls an operation of a service with a query protocol. Parameters are named as on the wire: `Tags.member.1.Key`.
    pub(crate) async fn query(
        &self,
        service: &str,
        operation: &str,
        parameters: &[(String, String)],
    ) -> Result<Element> {
        read_query(&self.send(Call::query(service, operation, parameters)?).await?, operation)
    }

    /// The items of a list from all of its pages. `token` is the name of the pagination token in responses and in requests.
    pub(crate) async fn query_all(
        &self,
        service: &str,
        operation: &str,
        parameters: &[(String, String)],
        list: &str,
        token: &str,
    ) -> Result<Vec<Element>> {
        let (mut all, mut request) = (Vec::new(), parameters.to_vec());
        loop {
            let page = self.query(service, operation, &request).await?;
            all.extend(page.list(list).iter().cloned());
            match page.text_of(token) {
                "" => return Ok(all),
                next => {
                    request.truncate(parameters.len());
                    request.push((token.to_owned(), next.to_owned()));
                }
            }
        }
    }

    /// Sends a request to a REST service: S3, CloudFront, Route 53.
    pub(crate) async fn rest(
        &self,
        service: &str,
        method: Method,
        path_and_query: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let call = Call::of(model(service)?, method, path_and_query.to_owned(), headers, body);
        let answer = self.send(call).await?;
        if !answer.status.is_success() {
            let tree = Element::parse(&answer.body)
                .map_err(|_| anyhow!("{path_and_query}: the API answered {}", answer.status))?;
            return Err(refused(&tree).into());
        }
        Ok(answer)
    }

    async fn send(&self, call: Call) -> Result<Answer> {
        match &self.to {
            To::Daemon(daemon) => daemon.signed(call).await,
            To::Aws(remote) => remote.send(call).await,
        }
    }
}

/// The result of an operation of a service with a query protocol.
pub(crate) fn read_query(answer: &Answer, operation: &str) -> Result<Element> {
    let tree = Element::parse(&answer.body)
        .with_context(|| format!("the answer to {operation} ({}) is not XML", answer.status))?;
    if answer.status.is_success() {
        return Ok(tree.child(&format!("{operation}Result")).cloned().unwrap_or(tree));
    }
    Err(refused(&tree).into())
}

impl Daemon {
    fn key(&self) -> Result<&RootKey> {
        if let Some(key) = self.key.get() {
            return Ok(key);
        }
        let found = root_key::find(&self.home)?;
        Ok(self.key.get_or_init(|| found))
    }

    async fn signed(&self, call: Call) -> Result<Answer> {
        let mut request = Request::builder().method(call.method).uri(&call.path_and_query);
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        let request = request.header(header::HOST, &self.endpoint).body(()).context("a request")?;
        let (mut parts, ()) = request.into_parts();
        let key = self.key()?;
        let credentials = Credentials { access_key: &key.id, secret: &key.secret, session_token: None };
        let signer = Signer { credentials, region: &self.region, service: &call.signing_name };
        sigv4::sign(&mut parts, &signer, Content::Whole(&call.body), Clock::machine().now())?;
        // Policies of buckets may deny requests without TLS. A user who cannot read the home cannot verify the daemon.
        let is_tls = self.home.root_certificate().exists();
        self.send(Request::from_parts(parts, Full::new(call.body)), is_tls).await
    }

    async fn send(&self, request: Request<Full<Bytes>>, is_tls: bool) -> Result<Answer> {
        let sent = async {
            let stream = connect(&self.endpoint).await?;
            stream.set_nodelay(true)?;
            if !is_tls {
                return exchange(stream, request).await;
            }
            let (host, _) = self.endpoint.rsplit_once(':').unwrap_or((&self.endpoint, ""));
            exchange(self.trust.connect(stream, &[host]).await?, request).await
        };
        // A connection that breaks in the middle of an answer gets the same hint: the daemon may die at any time, and a new
        // one continues its work.
        sent.await.with_context(|| {
            format!(
                "the daemon does not answer at {}. Run `escale start`: it starts the daemon, which continues where it was. \
                 Then run this command again",
                self.endpoint
            )
        })
    }
}

pub(crate) async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await?.into_parts();
    Ok(Answer { status: parts.status, headers: parts.headers, body: body.collect().await?.to_bytes() })
}

/// Connects to this machine. The timeout exists because a packet filter that drops packets on `lo` would otherwise let the
/// connect hang for minutes.
async fn connect(at: &str) -> Result<TcpStream> {
    let within = Duration::from_millis(LOCAL_CONNECT_MS);
    match tokio::time::timeout(within, TcpStream::connect(at)).await {
        Ok(connected) => Ok(connected?),
        Err(_) => bail!(
            "connecting to {at} took longer than {within:?}: a firewall on this machine drops packets on the loopback \
             interface. Allow them, for example with `iptables -I INPUT -i lo -j ACCEPT`, or in the nftables chain that drops \
             them with `iif lo accept`"
        ),
    }
}

fn refused(tree: &Element) -> Refused {
    let error = tree.find("Error").unwrap_or(tree);
    Refused { code: error.text_of("Code").to_owned(), message: error.text_of("Message").to_owned() }
}

/// Whether an error is an AWS error response with this code.
pub(crate) fn is_code(error: &anyhow::Error, code: &str) -> bool {
    error.downcast_ref::<Refused>().is_some_and(|r| r.code == code)
}

/// Sends a plain HTTP GET without a signature, as a browser does, to the application's own address.
pub(crate) async fn get(url: &str) -> Result<(StatusCode, Bytes)> {
    let rest = url
        .strip_prefix("http://")
        .with_context(|| format!("cannot request {url}: it does not begin with http://"))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = authority.split_once(':').unwrap_or((authority, "80"));
    let port: u16 = port.parse().with_context(|| format!("cannot request {url}: it has no port"))?;
    // RFC 6761: localhost and every name below it is this machine. Not every system resolver knows that.
    let address = if host == "localhost" || host.ends_with(".localhost") { "127.0.0.1" } else { host };
    let at = format!("{address}:{port}");
    let stream = connect(&at).await.with_context(|| format!("{url} does not answer"))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request =
        Request::get(format!("/{path}")).header(header::HOST, authority).body(Full::new(Bytes::new()))?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    if status.is_server_error() {
        bail!("the response is {status}");
    }
    Ok((status, response.into_body().collect().await?.to_bytes()))
}

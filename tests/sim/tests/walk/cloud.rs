//! The whole cloud on planes in memory behind a real gate, and clients that sign their requests.

use crate::{encode, input};
use bytes::Bytes;
use escale_base::{Clock, Secret, Timestamp};
use escale_dns::FakeDns;
use escale_gate::Gate;
use escale_service::{Caller, Cloud, Config, Entrance, Principal};
use escale_store::Store;
use escale_wire::sigv4::{self, Content, Credentials, Signer};
use escale_wiring::{DataPlanes, RootKey, Services};
use http::{Request, header::HOST};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{net::SocketAddr, sync::Arc};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const REGION: &str = "eu-west-3";

pub(crate) struct Harness {
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) store: Store,
    clock: Clock,
    address: SocketAddr,
    _dir: tempfile::TempDir,
}

/// An access key and its secret.
pub(crate) struct Key(String, Secret<String>);

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) body: String,
}

impl Answer {
    /// Whether it has this code. A CBOR body is not decoded but searched.
    pub(crate) fn has_code(&self, code: &str) -> bool {
        self.code == code || (self.code.is_empty() && self.body.contains(code))
    }

    /// Whether it is AWS's access denied, in any protocol. An answer to HEAD has a status only.
    pub(crate) fn is_denied(&self) -> bool {
        let named = ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"];
        named.contains(&self.code.as_str()) || (self.status == 403 && self.body.is_empty())
    }
}

impl Harness {
    /// Starts without reconcilers, so that rows stay as the operations wrote them.
    pub(crate) async fn open() -> Harness {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("state.db"), &escale_tables::all()).unwrap();
        let clock = Clock::by_hand(Timestamp(1_800_000_000_000));
        let services = Services::new(DataPlanes {
            dns: Arc::new(FakeDns::new()),
            logs: Arc::new(escale_logstore::Fake::default()),
            metrics: Arc::new(escale_metrics::Fake::default()),
            objects: Arc::new(escale_objects::Fake::new(clock.clone(), escale_objects::Limits::default())),
            registry: Arc::new(escale_registry::Fake::new(clock.clone())),
            calls: Arc::new(escale_journal::Fake::default()),
            denials: Arc::new(escale_journal::Fake::default()),
        });
        let root = RootKey { id: "ROOTKEY".into(), secret: Secret::new("root-secret".into()) };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = Config { endpoint: address.to_string(), region: REGION.into(), ..Config::default() };
        let cloud = Arc::new(services.cloud(config, root, clock.clone()));
        let mounts = services.mounts(&store, &cloud);
        let gate = Arc::new(Gate::new(Arc::clone(&cloud), store.clone(), mounts).unwrap());
        tokio::spawn(escale_gate::serve(gate, listener, Entrance::HostLoopback, escale_gate::Tls::Never));
        Harness { cloud, store, clock, address, _dir: dir }
    }

    pub(crate) fn root() -> Key {
        Key("ROOTKEY".into(), Secret::new("root-secret".into()))
    }

    /// Every operation that the cloud enacts, in a fixed order.
    pub(crate) fn operations(&self) -> Vec<(&'static str, &'static str)> {
        let mut all: Vec<_> = self.cloud.entries().map(|(service, entry)| (service, entry.name)).collect();
        all.sort_unstable();
        all
    }

    /// Calls an operation as root without the gate, to create resources that a test needs.
    pub(crate) fn seed(&self, service: &str, operation: &str, input: Value) -> Value {
        let caller = Caller { principal: Principal::Root, ..Caller::service("root") };
        let made = self.cloud.call(&self.store, &caller, service, operation, input);
        made.unwrap_or_else(|e| panic!("{service}:{operation}: {e}"))
    }

    /// Creates a user with these statements.
    pub(crate) fn user(&self, name: &str, statements: Value) -> Key {
        self.seed("iam", "CreateUser", json!({"UserName": name}));
        self.set_policy(name, statements);
        let made = self.seed("iam", "CreateAccessKey", json!({"UserName": name}));
        let text = |member: &str| made["AccessKey"][member].as_str().unwrap().to_owned();
        Key(text("AccessKeyId"), Secret::new(text("SecretAccessKey")))
    }

    /// Replaces a user's statements.
    pub(crate) fn set_policy(&self, user: &str, statements: Value) {
        if statements.as_array().unwrap().is_empty() {
            return;
        }
        let document = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let input = json!({"UserName": user, "PolicyName": "walk", "PolicyDocument": document});
        self.seed("iam", "PutUserPolicy", input);
    }

    /// Calls an operation with an input. Adds members that the service requires and the model does not, with their minimal
    /// values, since the error about a missing member would hide the one under test.
    pub(crate) async fn call(
        &self,
        key: Option<&Key>,
        service: &str,
        name: &str,
        mut input: Value,
    ) -> Answer {
        let model = escale_model::service(service).unwrap();
        let operation = model.operation(name).unwrap();
        for _ in 0..8 {
            let request = encode::request(model, operation, &input, false);
            let answer = self.send(key, &model.signing_name, request).await;
            let missing = answer.body.split_once(": is required").map(|(before, _)| {
                let start = before.rfind(['"', '>', ' ']).map_or(0, |at| at + 1);
                before[start..].to_owned()
            });
            let (Some(missing), Some(shape)) = (missing, operation.input) else { return answer };
            input::add(model, shape, &mut input, &missing.split('.').collect::<Vec<_>>());
        }
        panic!("{service}:{name} requires ever more members: {input}");
    }

    /// Signs a request, or leaves it unsigned, and sends it over a connection of its own.
    pub(crate) async fn send(
        &self,
        key: Option<&Key>,
        signing_name: &str,
        request: Request<Bytes>,
    ) -> Answer {
        let (mut parts, body) = request.into_parts();
        parts.headers.insert(HOST, self.address.to_string().parse().unwrap());
        if let Some(Key(access_key, secret)) = key {
            let credentials = Credentials { access_key, secret, session_token: None };
            let signer = Signer { credentials, region: REGION, service: signing_name };
            sigv4::sign(&mut parts, &signer, Content::Whole(&body), self.clock.now()).unwrap();
        }
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let response = sender.send_request(Request::from_parts(parts, Full::new(body))).await.unwrap();
        let (head, body) = response.into_parts();
        let body = String::from_utf8_lossy(&body.collect().await.unwrap().to_bytes()).into_owned();
        let typed = head.headers.get("x-amzn-errortype").and_then(|v| v.to_str().ok()).map(str::to_owned);
        let in_xml = || {
            let (_, rest) = body.split_once("<Code>")?;
            Some(rest.split_once("</Code>")?.0.to_owned())
        };
        let code = typed.or_else(in_xml).unwrap_or_default();
        Answer { status: head.status.as_u16(), code, body }
    }
}

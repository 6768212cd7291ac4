//! Serves tasks at 169.254.170.2: credentials of their role, metadata (version 4), and their protection from scale-ins.
//!
//! Listens at the router of every VPC. The private address of the client identifies the task. A task gets only its own
//! credentials.
//!
//! Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate.html>

mod metadata;
mod protection;

use crate::{
    Planes,
    calls::ECS_TASKS,
    reconcile::{ENDPOINT, role_of},
    rules,
    status::Known,
};
use bytes::Bytes;
use escale_base::{
    Timestamp,
    path::{RawPath, Segments},
};
use escale_network::Place;
use escale_requests::sts::{AssumeRole, Credentials};
use escale_service::{Caller, Cloud};
use escale_store::{Row, Store};
use escale_tables::{
    ec2::VpcSeen,
    ecs::{Task, TaskProgress},
};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use std::{
    collections::{BTreeSet, HashMap},
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinHandle};

/// How long credentials are valid.
const SESSION_SECS: i64 = 3600;
/// A request renews credentials that are valid for less than this.
const RENEW_MS: i64 = 600_000;
/// The pause between two attempts to listen in a VPC whose router is not ready.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections from all tasks of one VPC; more wait in the kernel's queue. A client usually connects once an hour.
const CONNECTIONS: usize = 1024;

struct Endpoint {
    store: Store,
    cloud: Arc<Cloud>,
    planes: Planes,
    /// By task: the credentials that it got, and their expiry.
    issued: Mutex<HashMap<String, (Value, Timestamp)>>,
}

/// Keeps one listener in each VPC. Never returns.
pub(crate) async fn serve(store: Store, cloud: Arc<Cloud>, planes: Planes) {
    // Before the first read, so that no VPC that appears in between is missed.
    let mut changes = store.subscribe(&[VpcSeen::TABLE]);
    let endpoint = Arc::new(Endpoint { store: store.clone(), cloud, planes, issued: Mutex::default() });
    let mut servers: HashMap<String, JoinHandle<()>> = HashMap::new();
    loop {
        let vpcs: BTreeSet<String> = store.read().keys(VpcSeen::TABLE).cloned().collect();
        servers.retain(|vpc, server| {
            let stays = vpcs.contains(vpc);
            if !stays {
                server.abort();
            }
            stays
        });
        for vpc in vpcs {
            if servers.contains_key(&vpc) {
                continue;
            }
            let server = tokio::spawn(endpoint.clone().serve_vpc(vpc.clone()));
            servers.insert(vpc, server);
        }
        changes.changed().await;
    }
}

impl Endpoint {
    async fn serve_vpc(self: Arc<Self>, vpc: String) {
        loop {
            match self.listen(&vpc).await {
                Ok(listener) => Arc::clone(&self).accept(&vpc, listener).await,
                Err(error) => tracing::debug!(vpc, %error, "the task metadata endpoint cannot listen yet"),
            }
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    async fn listen(&self, vpc: &str) -> Result<TcpListener, escale_base::PlaneError> {
        let namespace = self.planes.network.namespace(&Place::Router(vpc.to_owned()))?;
        namespace.tcp_listen(SocketAddr::from((ENDPOINT, 80))).await
    }

    async fn accept(self: Arc<Self>, vpc: &str, listener: TcpListener) {
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
        // The slot comes before the connection, so that connections above the limit wait in the kernel's queue. The semaphore
        // is never closed: `acquire_owned` can only wait.
        while let Ok(slot) = Arc::clone(&slots).acquire_owned().await
            && let Ok((stream, peer)) = listener.accept().await
        {
            let (endpoint, vpc) = (Arc::clone(&self), vpc.to_owned());
            tokio::spawn(async move {
                let answer = service_fn(|request: Request<Incoming>| {
                    let (endpoint, vpc) = (Arc::clone(&endpoint), vpc.clone());
                    async move { Ok::<_, Infallible>(endpoint.answer(&vpc, peer, request).await) }
                });
                let mut http = hyper::server::conn::http1::Builder::new();
                http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
                // An error means that the client closed the connection, so it cannot receive an answer.
                let _ = http.serve_connection(TokioIo::new(stream), answer).await;
                drop(slot);
            });
        }
    }

    async fn answer(&self, vpc: &str, peer: SocketAddr, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let segments = RawPath::new(path.trim_end_matches('/')).segments();
        let parts = segments.as_ref().ok().and_then(Segments::plain).unwrap_or_default();
        let Some(task) = self.task_at(vpc, peer.ip()) else {
            return reply(StatusCode::NOT_FOUND, &json!({ "message": "No task has this address" }));
        };
        match parts.as_slice() {
            ["v2", "credentials", id] if *id == task.credentials_id => self.credentials(&task).await,
            ["v2", "credentials", _] => reply(
                StatusCode::BAD_REQUEST,
                &json!({ "code": "InvalidIdInRequest", "message": "Credentials not found" }),
            ),
            ["v4", id, rest @ ..] => self.metadata(&task, id, rest).await,
            ["api", id, "task-protection", "v1", "state"] => self.protection(&task, id, peer, request).await,
            _ => reply(
                StatusCode::NOT_FOUND,
                &json!({ "message": format!("The endpoint does not serve {path}") }),
            ),
        }
    }

    /// The task that has this address and has not stopped. An address can be reused once its task has stopped.
    fn task_at(&self, vpc: &str, peer: IpAddr) -> Option<Arc<Task>> {
        let image = self.store.read();
        image.scan::<Task>().find(|t| {
            t.vpc.as_str() == vpc
                && IpAddr::V4(t.private_ip) == peer
                && image.get::<TaskProgress>(&t.id).is_none_or(|p| p.stopped.is_none())
        })
    }

    async fn credentials(&self, task: &Arc<Task>) -> Response<Full<Bytes>> {
        self.session(task).await.map_or_else(|refusal| refusal, |value| reply(StatusCode::OK, &value))
    }

    /// The credentials of the task's role, or the answer that says why it gets none.
    async fn session(&self, task: &Arc<Task>) -> Result<Value, Response<Full<Bytes>>> {
        let now = self.cloud.clock.now();
        let cached =
            self.issued().get(task.id.as_str()).filter(|(_, until)| until.since_ms(now) > RENEW_MS).cloned();
        if let Some((value, _)) = cached {
            return Ok(value);
        }
        let role = {
            let image = self.store.read();
            let known = Known::of(&image, Arc::clone(task));
            let role = known.definition.as_ref().and_then(|d| role_of(task, d));
            role.map(|role| rules::role_arn(&image, &self.cloud.config.account, role))
        };
        let Some(role) = role else {
            return Err(reply(StatusCode::NOT_FOUND, &json!({ "message": "The task has no task role" })));
        };
        let assume = AssumeRole {
            role_arn: role.clone(),
            role_session_name: task.id.to_string(),
            duration_seconds: SESSION_SECS,
        };
        let caller = Caller::service(ECS_TASKS);
        match escale_service::request(&self.cloud, &self.store, &caller, assume).await {
            Ok(answer) => {
                let until = answer.credentials.expiration;
                let value = credentials_json(&role, &answer.credentials);
                let mut issued = self.issued();
                // A stopped task never asks again. Without this, its credentials would stay in memory until the daemon ends.
                issued.retain(|_, (_, until)| until.since_ms(now) > 0);
                issued.insert(task.id.to_string(), (value.clone(), until));
                drop(issued);
                Ok(value)
            }
            Err(e) => Err(reply(
                StatusCode::INTERNAL_SERVER_ERROR,
                &json!({ "code": e.code, "message": format!("Unable to assume {role}: {}", e.message) }),
            )),
        }
    }

    fn issued(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Value, Timestamp)>> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn metadata(&self, task: &Arc<Task>, id: &str, rest: &[&str]) -> Response<Full<Bytes>> {
        let known = Known::of(&self.store.read(), Arc::clone(task));
        let Some(container) = metadata::container_of(&known, id) else {
            return reply(
                StatusCode::NOT_FOUND,
                &json!({ "message": "No container of the task has this id" }),
            );
        };
        let config = &self.cloud.config;
        let value = match rest {
            [] => metadata::container(&known, &container, config),
            ["task"] => metadata::task(&known, config),
            ["stats"] | ["task", "stats"] => match self.planes.containers.stats(&task.id).await {
                Ok(stats) if *rest == ["stats"] => metadata::stats(&stats, &container),
                Ok(stats) => metadata::all_stats(&known, &stats),
                Err(e) => {
                    return reply(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "message": e.to_string() }));
                }
            },
            _ => {
                return reply(
                    StatusCode::NOT_FOUND,
                    &json!({ "message": "There is no metadata at this path" }),
                );
            }
        };
        reply(StatusCode::OK, &value)
    }
}

fn credentials_json(role: &str, credentials: &Credentials) -> Value {
    json!({
        "RoleArn": role,
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key.reveal(),
        "Token": credentials.session_token.reveal(),
        "Expiration": credentials.expiration.iso8601(),
    })
}

fn reply(status: StatusCode, value: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(value.to_string())));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    response
}

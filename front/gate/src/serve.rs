//! Accepts connections and answers their requests.

use crate::{Gate, request};
use escale_service::{Arrival, Body, Entrance};
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use std::{convert::Infallible, pin::Pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// How long a client may take to send its head: one that never does must not hold a connection for ever.
const HEAD_WITHIN: Duration = Duration::from_secs(60);

/// Pause after a failed accept (out of descriptors): at once would spin.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Serves the API on a socket until the future is dropped; its connections end with it. `entrance` says who can reach the
/// socket: it decides whether the root principal is accepted there.
pub async fn serve(gate: Arc<Gate>, listener: TcpListener, entrance: Entrance) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        // Small answers must not wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        connections.spawn(connection(Arc::clone(&gate), stream, Arrival { entrance, peer }));
        while connections.try_join_next().is_some() {}
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

async fn connection(gate: Arc<Gate>, stream: TcpStream, arrival: Arrival) {
    let service = service_fn(move |incoming: Request<Incoming>| -> Answer {
        let gate = Arc::clone(&gate);
        let incoming = incoming.map(|b| -> Body { b.map_err(|e| Box::new(e).into()).boxed_unsync() });
        Box::pin(async move { Ok(request::answer(&gate, incoming, arrival).await) })
    });
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    if let Err(error) = server.serve_connection_with_upgrades(TokioIo::new(stream), service).await {
        tracing::debug!(peer = %arrival.peer, %error, "a connection ended badly");
    }
}

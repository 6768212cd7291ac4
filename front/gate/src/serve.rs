//! Accepts connections and answers their requests.

use crate::{Gate, request, withheld};
use escale_service::Body;
use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use std::{convert::Infallible, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// How long a client may take to send its head: one that never does must not hold a connection for ever.
const HEAD_WITHIN: Duration = Duration::from_secs(60);

/// Pause after a failed accept (out of descriptors): at once would spin.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Serves the API on a socket until the future is dropped; its connections end with it.
pub async fn serve(gate: Arc<Gate>, listener: TcpListener) {
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
        connections.spawn(connection(Arc::clone(&gate), stream, peer));
        while connections.try_join_next().is_some() {}
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

async fn connection(gate: Arc<Gate>, stream: TcpStream, peer: SocketAddr) {
    let service = service_fn(move |incoming: Request<Incoming>| -> Answer {
        let gate = Arc::clone(&gate);
        let (incoming, withheld) = withheld::watch(incoming);
        Box::pin(async move {
            let mut response = request::answer(&gate, incoming, peer).await;
            withheld.end(&mut response);
            Ok(response)
        })
    });
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    if let Err(error) = server.serve_connection_with_upgrades(TokioIo::new(stream), service).await {
        tracing::debug!(%peer, %error, "a connection ended badly");
    }
}

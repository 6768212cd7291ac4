//! Forwards TCP from the host's loopback into a namespace, so that the host needs no route.

use crate::{Namespace, VISITOR, namespace};
use escale_base::{PlaneError, error::Context as _, limits};
use escale_sockets::{Keeper, Kept, Transport};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;

/// Listens until it is stopped or dropped, which also closes its connections.
#[derive(Debug)]
pub struct Forwarder {
    local: SocketAddr,
    task: JoinHandle<()>,
    /// Cancelled to close the listener without its connections.
    closing: CancellationToken,
    closed: CancellationToken,
}

/// Accepts connections at `listen`, in the calling process's own namespace, and splices each to `target` as
/// reached from the Internet, with [`VISITOR`] as the source. Only loopback is allowed: the host's network must not
/// be exposed.
pub async fn forward(
    internet: Namespace,
    listen: SocketAddr,
    target: SocketAddr,
) -> Result<Forwarder, PlaneError> {
    let what = format!("to forward to {target}");
    let keeper = internet.keeper().clone();
    Forwarder::start(&keeper, listen, &what, move |client| {
        let internet = internet.clone();
        async move { splice(client, internet.tcp_connect_from((VISITOR, 0).into(), target).await?).await }
    })
    .await
}

/// As [`forward`], but `connect` opens the connection to the target for each client anew, so that the target can change. A client
/// whose connection fails is disconnected.
pub async fn forward_each<C, F>(listen: SocketAddr, connect: C) -> Result<Forwarder, PlaneError>
where
    C: Fn() -> F + Send + 'static,
    F: Future<Output = io::Result<TcpStream>> + Send + 'static,
{
    Forwarder::start(&Keeper::default(), listen, "to forward connections", move |client| {
        let server = connect();
        async move { splice(client, server.await?).await }
    })
    .await
}

impl Forwarder {
    pub(crate) async fn start<H, F>(
        keeper: &Keeper,
        listen: SocketAddr,
        what: &str,
        handle: H,
    ) -> Result<Forwarder, PlaneError>
    where
        H: Fn(TcpStream) -> F + Send + 'static,
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        if !listen.ip().is_loopback() {
            return Err(PlaneError::asked(format!(
                "cannot listen on {listen} {what}: it is not a loopback address"
            )));
        }
        let listener = keeper.open_here(Transport::Tcp, listen, || namespace::listen(listen)?.into_std());
        let listener = listener.and_then(|listener| listener.try_map(TcpListener::from_std));
        let listener = listener.machine(|| format!("listen on {listen} {what}"))?;
        let local =
            listener.local_addr().machine(|| format!("read the local address of the listener {listen}"))?;
        let (closing, closed) = (CancellationToken::new(), CancellationToken::new());
        let task = tokio::spawn(serve(listener, handle, closing.clone(), closed.clone()));
        Ok(Forwarder { local, task, closing, closed })
    }

    /// The address it listens at, with the actual port when 0 was requested.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Closes the listener, which is closed when this returns. Its connections continue until they end.
    pub async fn close(self) {
        self.closing.cancel();
        self.closed.cancelled().await;
    }

    /// Closes the listener and cuts its connections; both are gone when this returns.
    pub async fn stop(mut self) {
        self.task.abort();
        // The task ends by the abort, which is not a failure.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        if !self.closing.is_cancelled() {
            self.task.abort();
        }
    }
}

/// Passes every connection to `handle`, a limited number at a time; they end with this future. After `closing` it accepts no
/// further connections.
async fn serve<H, F>(
    listener: Kept<TcpListener>,
    handle: H,
    closing: CancellationToken,
    closed: CancellationToken,
) where
    H: Fn(TcpStream) -> F,
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(limits::FORWARDED_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        // The semaphore is never closed; when all permits are taken, clients wait in the listener's backlog.
        let place = tokio::select! {
            () = closing.cancelled() => break,
            Ok(place) = places.clone().acquire_owned() => place,
        };
        let client = tokio::select! {
            () = closing.cancelled() => break,
            client = listener.accept() => client,
            // Removes finished connections, which the set would otherwise keep.
            Some(_) = connections.join_next() => continue,
        };
        match client {
            Ok((client, _)) => {
                let handled = handle(client);
                connections.spawn(async move {
                    if let Err(e) = handled.await {
                        tracing::debug!(error = %e, "a forwarded connection ended");
                    }
                    drop(place);
                });
            }
            // The process has mostly run out of file descriptors, and no event reports when one is free again.
            Err(e) => {
                tracing::warn!(error = %e, "a forwarder cannot accept a connection; it tries again");
                tokio::time::sleep(Duration::from_millis(limits::BACKOFF_MIN_MS)).await;
            }
        }
    }
    drop(listener);
    closed.cancel();
    while connections.join_next().await.is_some() {}
}

async fn splice(mut client: TcpStream, mut server: TcpStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}

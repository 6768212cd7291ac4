//! Accepts connections and gives them to lanes.

use crate::Lanes;
use escale_sockets::Kept;
use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;

/// Connections of one listener; more wait in the kernel's queue. Bounds memory: each has two small buffers.
const CONNECTIONS: usize = 16_384;
/// Pause after an accept that failed for lack of file descriptors or memory: no event reports when they are free again.
const PAUSE: Duration = Duration::from_millis(100);

/// A listener whose connections are served by lanes.
pub struct Acceptor(Kept<TcpListener>);

impl Acceptor {
    pub fn new(listener: impl Into<Kept<TcpListener>>) -> Acceptor {
        Acceptor(listener.into())
    }

    /// Serves each connection on a lane until `stop`, which closes the listener. `name` is for the log.
    pub async fn serve<T>(
        self,
        lanes: &Lanes,
        name: &str,
        stop: &CancellationToken,
        serve: impl Fn(TcpStream, SocketAddr) -> T + Clone + Send + Sync + 'static,
    ) where
        T: Future<Output = ()> + Send + 'static,
    {
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = async {
                    // The semaphore is never closed, so a permit always becomes free.
                    let slot = slots.clone().acquire_owned().await.ok();
                    (slot, self.0.accept().await)
                } => accepted,
            };
            let (slot, (stream, client)) = match accepted {
                (slot, Ok(accepted)) => (slot, accepted),
                (_, Err(error)) => {
                    tracing::warn!(name, %error, "cannot accept a connection; it is tried again");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let serve = serve.clone();
            // The stream leaves this runtime: the lane's own waits for it.
            let stream = stream.into_std();
            lanes.spawn(async move {
                match stream.and_then(TcpStream::from_std) {
                    Ok(stream) => {
                        // Without it small answers wait for delayed acknowledgements. An error means that the socket is closed already.
                        let _ = stream.set_nodelay(true);
                        serve(stream, client).await;
                    }
                    Err(error) => tracing::warn!(%client, %error, "cannot serve a connection"),
                }
                drop(slot);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn connections_are_served_until_the_stop() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let (lanes, stop) = (Lanes::start(2).unwrap(), CancellationToken::new());
        let (of_task, stopped) = (lanes.clone(), stop.clone());
        let acceptor = Acceptor::new(listener);
        let serving = tokio::spawn(async move {
            let echo = |mut stream: TcpStream, _| async move {
                assert_ne!(crate::slot(), 0);
                let byte = stream.read_u8().await.unwrap();
                stream.write_all(&[byte, byte]).await.unwrap();
            };
            acceptor.serve(&of_task, "test", &stopped, echo).await;
        });
        let mut clients = Vec::new();
        for _ in 0..4 {
            clients.push(TcpStream::connect(to).await.unwrap());
        }
        for client in &mut clients[..2] {
            client.write_all(b"x").await.unwrap();
            let mut got = String::new();
            client.read_to_string(&mut got).await.unwrap();
            assert_eq!(got, "xx");
        }
        stop.cancel();
        serving.await.unwrap();
        assert!(TcpStream::connect(to).await.is_err());
        for client in &mut clients[2..] {
            client.write_all(b"y").await.unwrap();
            assert_eq!(client.read_u8().await.unwrap(), b'y', "open connections are still served");
        }
    }
}

//! Idle upstream connections of one (node, target), the most recently used one on top. Each lane has its own: a connection is
//! used by the lane that opened it, so that no step of a request wakes another thread.

use crate::{
    Sockets,
    sender::{self, Sender},
    spec::Transport,
};
use std::{
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{net::TcpStream, time::Instant};

/// Idle connections kept per target and lane: enough to absorb a burst, few enough for a small server's
/// connection limit.
const IDLE_MAX: usize = 64;
/// Common servers close after 60 to 75 s of idleness; closing earlier means that few requests meet a closing connection.
const IDLE_AGE: Duration = Duration::from_secs(30);
/// A reachable target answers a SYN within milliseconds; this covers three lost ones.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// If another target can answer: in one network, connections take a millisecond.
pub(crate) const CONNECT_TIMEOUT_OF_SEVERAL: Duration = Duration::from_millis(500);
/// At least: a handshake of TLS takes the target's processor.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) struct Pool<T>(Box<[Mutex<Vec<Idle<T>>>]>);

struct Idle<T> {
    connection: T,
    since: Instant,
}

/// A connection between two exchanges.
pub(crate) trait Reusable {
    fn is_reusable(&self) -> bool;

    /// Another handle of it, if exchanges can share it.
    fn shared(&self) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }
}

impl Reusable for Sender {
    fn is_reusable(&self) -> bool {
        self.is_ready()
    }

    fn shared(&self) -> Option<Sender> {
        Sender::shared(self)
    }
}

impl<T> Default for Pool<T> {
    fn default() -> Pool<T> {
        Pool((0..escale_lanes::slots()).map(|_| Mutex::default()).collect())
    }
}

impl<T: Reusable> Pool<T> {
    pub(crate) fn take(&self) -> Option<T> {
        let mut idle = self.own();
        while let Some(one) = idle.pop() {
            // Others are dropped here, which closes them.
            if one.is_kept() {
                // A connection that exchanges share stays for the next one.
                if let Some(connection) = one.connection.shared() {
                    idle.push(Idle { connection, since: Instant::now() });
                }
                return Some(one.connection);
            }
        }
        None
    }

    pub(crate) fn put(&self, connection: T) {
        let mut idle = self.own();
        if idle.len() < IDLE_MAX {
            idle.push(Idle { connection, since: Instant::now() });
        }
    }

    /// Closes connections that have been idle for too long or were closed by the other end.
    pub(crate) fn sweep(&self) {
        self.0.iter().for_each(|idle| lock(idle).retain(Idle::is_kept));
    }

    pub(crate) fn clear(&self) {
        self.0.iter().for_each(|idle| lock(idle).clear());
    }

    /// Those of the calling lane. Nothing but a sweep ever waits for this lock.
    fn own(&self) -> MutexGuard<'_, Vec<Idle<T>>> {
        lock(&self.0[escale_lanes::slot()])
    }
}

impl<T: Reusable> Idle<T> {
    fn is_kept(&self) -> bool {
        self.since.elapsed() < IDLE_AGE && self.connection.is_reusable()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) enum ConnectError {
    Timeout,
    Refused(std::io::Error),
}

/// A new connection.
pub(crate) async fn open(
    sockets: &dyn Sockets,
    node: &str,
    to: SocketAddr,
    within: Duration,
) -> Result<TcpStream, ConnectError> {
    let stream = tokio::time::timeout(within, sockets.connect(node, to))
        .await
        .map_err(|_| ConnectError::Timeout)?
        .map_err(|e| match e.kind() {
            std::io::ErrorKind::TimedOut => ConnectError::Timeout,
            _ => ConnectError::Refused(e),
        })?;
    // Without it small answers wait for delayed acknowledgements. An error means that the socket is closed already.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// A client of a new connection.
pub(crate) async fn connect(
    sockets: &dyn Sockets,
    node: &str,
    to: SocketAddr,
    transport: Transport,
    within: Duration,
) -> Result<Sender, ConnectError> {
    let stream = open(sockets, node, to, within).await?;
    let handshake = sender::handshake(stream, to, transport);
    let done = tokio::time::timeout(within.max(HANDSHAKE_TIMEOUT), handshake)
        .await
        .map_err(|_| ConnectError::Timeout)?;
    done.map_err(|e| match e.kind() {
        std::io::ErrorKind::TimedOut => ConnectError::Timeout,
        _ => ConnectError::Refused(e),
    })
}

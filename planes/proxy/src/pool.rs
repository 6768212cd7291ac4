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
use tokio::time::Instant;

/// Idle connections kept per target and lane: enough to absorb a burst, few enough for a small server's
/// connection limit.
const IDLE_MAX: usize = 64;
/// Common servers close after 60 to 75 s of idleness; closing earlier means that few requests meet a closing connection.
const IDLE_AGE: Duration = Duration::from_secs(30);
/// A reachable target answers a SYN within milliseconds; this covers three lost ones.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) struct Pool(Box<[Mutex<Vec<Idle>>]>);

struct Idle {
    sender: Sender,
    since: Instant,
}

impl Default for Pool {
    fn default() -> Pool {
        Pool((0..escale_lanes::slots()).map(|_| Mutex::default()).collect())
    }
}

impl Pool {
    pub(crate) fn take(&self) -> Option<Sender> {
        let mut idle = self.own();
        while let Some(one) = idle.pop() {
            // Others are dropped here, which closes them.
            if one.sender.is_ready() && one.since.elapsed() < IDLE_AGE {
                // A connection that requests share stays for the next one.
                if let Some(sender) = one.sender.shared() {
                    idle.push(Idle { sender, since: Instant::now() });
                }
                return Some(one.sender);
            }
        }
        None
    }

    pub(crate) fn put(&self, sender: Sender) {
        let mut idle = self.own();
        if idle.len() < IDLE_MAX {
            idle.push(Idle { sender, since: Instant::now() });
        }
    }

    /// Closes connections that have been idle for too long or were closed by the other end.
    pub(crate) fn sweep(&self) {
        let is_kept = |one: &Idle| one.sender.is_ready() && one.since.elapsed() < IDLE_AGE;
        self.0.iter().for_each(|idle| lock(idle).retain(is_kept));
    }

    pub(crate) fn clear(&self) {
        self.0.iter().for_each(|idle| lock(idle).clear());
    }

    /// Those of the calling lane. Nothing but a sweep ever waits for this lock.
    fn own(&self) -> MutexGuard<'_, Vec<Idle>> {
        lock(&self.0[escale_lanes::slot()])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) enum ConnectError {
    Timeout,
    Refused(std::io::Error),
}

/// A new connection to `to`.
pub(crate) async fn connect(
    sockets: &dyn Sockets,
    node: &str,
    to: SocketAddr,
    transport: Transport,
) -> Result<Sender, ConnectError> {
    let connecting = async {
        let stream = sockets.connect(node, to).await?;
        // Without it small answers wait for delayed acknowledgements. An error means that the socket is closed already.
        let _ = stream.set_nodelay(true);
        sender::handshake(stream, to, transport).await
    };
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
    connected.map_err(|_| ConnectError::Timeout)?.map_err(|e| match e.kind() {
        std::io::ErrorKind::TimedOut => ConnectError::Timeout,
        _ => ConnectError::Refused(e),
    })
}

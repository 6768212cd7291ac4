//! TCP: a client's SYN is answered only after the far end has answered.

use super::{
    Common,
    packet::{self, Flow, Unreachable},
    pump,
    share::{Place, Places},
    sockets,
};
use escale_base::limits::egress as limits;
use nix::libc;
use socket2::{SockRef, TcpKeepalive};
use std::{
    collections::HashMap,
    io,
    net::{SocketAddr, SocketAddrV4},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::oneshot,
    time::timeout,
};

pub(super) struct Connections {
    common: Arc<Common>,
    /// Connections to far ends, until the client's connection is accepted as well.
    pending: Mutex<HashMap<Flow, Pending>>,
    places: Arc<Places>,
    dials: Arc<Places>,
}

enum Pending {
    /// The far end has not answered yet.
    Dialing,
    /// The client's SYN was delivered; its accepted connection goes here.
    Accepting(oneshot::Sender<TcpStream>),
}

/// The first packet of a connection.
pub(super) struct Syn {
    pub(super) flow: Flow,
    pub(super) sequence: u32,
    pub(super) payload: usize,
    pub(super) packet: Vec<u8>,
}

impl Connections {
    pub(super) fn new(common: Arc<Common>) -> Arc<Connections> {
        let places = Places::new(common.spec.connections);
        // A dial needs a place as well, so there are never more dials than places.
        let dials = Places::new(limits::DIALS.min(common.spec.connections));
        Arc::new(Connections { common, pending: Mutex::default(), places, dials })
    }

    /// Handles a SYN. Returns the work of a new connection.
    pub(super) fn begin(self: &Arc<Self>, syn: Syn) -> Option<impl Future<Output = ()> + Send + use<>> {
        let (flow, near) = (syn.flow, *syn.flow.near.ip());
        match self.pending().get(&flow) {
            // A repetition: the far end has not answered yet.
            Some(Pending::Dialing) => return None,
            Some(Pending::Accepting(_)) => {
                self.deliver(&syn);
                return None;
            }
            None => {}
        }
        if self.common.is_refused(near, *flow.far.ip(), &syn.packet) {
            return None;
        }
        let (Some(place), Some(dial)) = (self.places.take(near), self.dials.take(near)) else {
            // The client repeats its SYN after a second.
            self.common.counters.limited.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        self.common.counters.connections.fetch_add(1, Ordering::Relaxed);
        self.pending().insert(flow, Pending::Dialing);
        Some(Arc::clone(self).connect(syn, place, dial))
    }

    /// Passes a connection that the listener accepted to the work that waits for it.
    pub(super) fn accepted(&self, stream: TcpStream, peer: SocketAddr) {
        let waiting = sockets::flow_of(&stream, peer).ok().and_then(|flow| self.pending().remove(&flow));
        match waiting {
            Some(Pending::Accepting(send)) => {
                // The work may just have given up: then the client gets a reset.
                if let Err(stream) = send.send(stream) {
                    pump::abort(&stream);
                }
            }
            Some(Pending::Dialing) | None => pump::abort(&stream),
        }
    }

    async fn connect(self: Arc<Self>, syn: Syn, _place: Place, dial: Place) {
        let ends = self.ends(syn).await;
        drop(dial);
        if let Some((near, far)) = ends {
            pump::pump(near, far).await;
        }
    }

    /// Connects to the far end, then accepts the client.
    async fn ends(&self, syn: Syn) -> Option<(TcpStream, TcpStream)> {
        let flow = syn.flow;
        let _entry = Entry { connections: self, flow };
        let far = match timeout(Duration::from_millis(limits::DIAL_MS), open(flow.far)).await {
            Ok(Ok(far)) => far,
            Ok(Err(error)) => {
                self.fail(&syn, &error);
                return None;
            }
            // Silence, as from a far end that is not there: the client repeats its SYN, or gives up.
            Err(_) => return None,
        };
        let (send, accepted) = oneshot::channel();
        self.pending().insert(flow, Pending::Accepting(send));
        self.deliver(&syn);
        match timeout(Duration::from_millis(limits::ACCEPT_MS), accepted).await {
            Ok(Ok(near)) => {
                supervise(&near, limits::NEAR_KEEPALIVE_MS);
                Some((near, far))
            }
            // The client is gone.
            _ => {
                pump::abort(&far);
                None
            }
        }
    }

    fn deliver(&self, syn: &Syn) {
        if let Err(error) = self.common.sockets.accept(syn.flow, &syn.packet) {
            tracing::debug!(near = %syn.flow.near, far = %syn.flow.far, %error, "cannot accept a connection");
        }
    }

    /// Passes a failure of the far end on to the client, as the network would have.
    fn fail(&self, syn: &Syn, error: &io::Error) {
        let (flow, sockets) = (syn.flow, &self.common.sockets);
        tracing::debug!(near = %flow.near, far = %flow.far, %error, "a connection that leaves the cloud's Internet failed");
        self.common.counters.failed.fetch_add(1, Ordering::Relaxed);
        match (error.kind(), unreachable(error)) {
            (io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset, _) => {
                sockets.answer(*flow.near.ip(), &packet::reset(flow, syn.sequence, syn.payload));
            }
            (_, Some(why)) => sockets.unreachable(*flow.near.ip(), &syn.packet, why),
            // Such as a lack of file descriptors: the client tries again.
            _ => tracing::warn!(far = %flow.far, %error, "cannot connect from the host"),
        }
    }

    fn pending(&self) -> MutexGuard<'_, HashMap<Flow, Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes a pending connection when its work ends, however it ends.
struct Entry<'a> {
    connections: &'a Connections,
    flow: Flow,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.connections.pending().remove(&self.flow);
    }
}

/// The ICMP error for an error of a socket.
pub(super) fn unreachable(error: &io::Error) -> Option<Unreachable> {
    match error.raw_os_error()? {
        libc::ENETUNREACH => Some(Unreachable::Network),
        libc::EHOSTUNREACH => Some(Unreachable::Host),
        libc::ECONNREFUSED => Some(Unreachable::Port),
        // The host's own firewall refuses it.
        libc::EACCES | libc::EPERM => Some(Unreachable::Prohibited),
        _ => None,
    }
}

async fn open(far: SocketAddrV4) -> io::Result<TcpStream> {
    let stream = TcpSocket::new_v4()?.connect(far.into()).await?;
    supervise(&stream, limits::KEEPALIVE_MS);
    Ok(stream)
}

/// Without traffic, a connection whose other end no longer exists would stay forever.
fn supervise(stream: &TcpStream, idle_ms: u64) {
    let probe = Duration::from_millis(idle_ms);
    let keepalive = TcpKeepalive::new().with_time(probe).with_interval(probe / 6).with_retries(6);
    let socket = SockRef::from(stream);
    let set = socket
        .set_tcp_nodelay(true)
        .and_then(|()| socket.set_tcp_keepalive(&keepalive))
        .and_then(|()| socket.set_tcp_user_timeout(Some(probe * 2)))
        .and_then(|()| socket.set_tcp_notsent_lowat(limits::NOT_SENT_BYTES));
    if let Err(error) = set {
        tracing::debug!(%error, "cannot set the options of a connection");
    }
}

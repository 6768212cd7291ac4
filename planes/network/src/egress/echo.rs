//! ICMP echo: a socket for each sequence of pings, until it is idle.

use super::{
    Common, datagrams, packet,
    pump::with_scratch,
    share::{Place, Places},
    tcp::unreachable,
};
use escale_base::limits::egress as limits;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddrV4},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};
use tokio::net::UdpSocket;

/// The pings of one program to one address.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Pings {
    pub(super) near: Ipv4Addr,
    pub(super) far: Ipv4Addr,
    pub(super) id: u16,
}

pub(super) struct Echoes {
    common: Arc<Common>,
    open: Mutex<HashMap<Pings, Arc<Pinger>>>,
    places: Arc<Places>,
}

/// A socket that pings one address from the host.
struct Pinger {
    /// An ICMP socket; the type only matters to tokio, which can use it for any kind of datagram.
    socket: UdpSocket,
    /// The identifier that the far end sees; the kernel replaces it if it gives one to each socket.
    id: u16,
    is_raw: bool,
}

impl Echoes {
    pub(super) fn new(common: Arc<Common>) -> Arc<Echoes> {
        let places = Places::new(limits::ECHOES.min(common.spec.connections));
        Arc::new(Echoes { common, open: Mutex::default(), places })
    }

    /// Sends an echo request. Returns the work that waits for replies, for the first one of a sequence.
    pub(super) fn begin(
        self: &Arc<Self>,
        pings: Pings,
        sequence: u16,
        data: &[u8],
        request: &[u8],
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        let known = self.open().get(&pings).cloned();
        if let Some(pinger) = known {
            pinger.send(sequence, data);
            return None;
        }
        if self.common.is_refused(pings.near, pings.far, request) {
            return None;
        }
        let Some(place) = self.places.take(pings.near) else {
            self.common.counters.limited.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        let pinger = match Pinger::open(pings.far) {
            Ok(pinger) => Arc::new(pinger),
            Err(error) => {
                tracing::debug!(far = %pings.far, %error, "cannot send ICMP echo requests from the host");
                if let Some(why) = unreachable(&error) {
                    self.common.sockets.unreachable(pings.near, request, why);
                }
                return None;
            }
        };
        self.common.counters.echoes.fetch_add(1, Ordering::Relaxed);
        pinger.send(sequence, data);
        self.open().insert(pings, Arc::clone(&pinger));
        Some(Arc::clone(self).replies(pings, pinger, place))
    }

    async fn replies(self: Arc<Self>, pings: Pings, pinger: Arc<Pinger>, _place: Place) {
        let idle = Duration::from_millis(limits::ECHO_IDLE_MS);
        while let Ok(Ok(reply)) = tokio::time::timeout(idle, pinger.reply(pings)).await {
            self.common.sockets.answer(pings.near, &reply);
        }
        self.open().remove(&pings);
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Pings, Arc<Pinger>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pinger {
    /// The kernel permits ping sockets to some groups (`net.ipv4.ping_group_range`), and raw ones to privileged processes.
    fn open(far: Ipv4Addr) -> io::Result<Pinger> {
        let open = |kind| Socket::new(Domain::IPV4, kind, Some(Protocol::ICMPV4));
        let (socket, is_raw) = match open(Type::DGRAM) {
            Ok(socket) => (socket, false),
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => (open(Type::RAW)?, true),
            Err(e) => return Err(e),
        };
        socket.set_nonblocking(true)?;
        // A raw socket then receives ICMP from this address only.
        socket.connect(&SockAddr::from(SocketAddrV4::new(far, 0)))?;
        Ok(Pinger { socket: UdpSocket::from_std(socket.into())?, id: rand::random(), is_raw })
    }

    fn send(&self, sequence: u16, data: &[u8]) {
        datagrams::send(&self.socket, &packet::echo_request(self.id, sequence, data));
    }

    /// The next reply, as a packet for the client.
    async fn reply(&self, pings: Pings) -> io::Result<Vec<u8>> {
        loop {
            datagrams::ready(&self.socket).await?;
            let read: io::Result<_> = with_scratch(|scratch| {
                let size = datagrams::receive(&self.socket, scratch)?;
                Ok(self.answer(pings, &scratch[..size]))
            });
            match read {
                Ok(Some(reply)) => return Ok(reply),
                Err(e) if e.kind() != io::ErrorKind::WouldBlock => return Err(e),
                Ok(None) | Err(_) => {}
            }
        }
    }

    fn answer(&self, pings: Pings, bytes: &[u8]) -> Option<Vec<u8>> {
        let icmp = if self.is_raw { packet::body(bytes)? } else { bytes };
        let (id, sequence, data) = packet::read_echo_reply(icmp)?;
        // A raw socket also receives the replies to other programs of the host.
        let is_ours = !self.is_raw || id == self.id;
        is_ours.then(|| packet::echo_reply(pings.near, pings.far, pings.id, sequence, data))
    }
}

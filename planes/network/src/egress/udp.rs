//! UDP: a pair of connected sockets for each flow, until it is idle.

use super::{
    Common, datagrams,
    packet::{self, Flow},
    pump::with_scratch,
    share::{Place, Places},
    tcp::unreachable,
};
use escale_base::limits::egress as limits;
use std::{
    collections::HashMap,
    io,
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};
use tokio::net::UdpSocket;

pub(super) struct Flows {
    common: Arc<Common>,
    /// The sockets to the far ends.
    open: Mutex<HashMap<Flow, Arc<UdpSocket>>>,
    places: Arc<Places>,
}

impl Flows {
    pub(super) fn new(common: Arc<Common>) -> Arc<Flows> {
        // A flow has as many descriptors as a connection.
        let places = Places::new(limits::UDP_FLOWS.min(common.spec.connections));
        Arc::new(Flows { common, open: Mutex::default(), places })
    }

    /// Handles a datagram that no socket of a flow received. Returns the work of a new flow.
    pub(super) fn begin(
        self: &Arc<Self>,
        flow: Flow,
        data: &[u8],
    ) -> Option<impl Future<Output = ()> + Send + use<>> {
        // It was queued before the socket of its flow existed.
        if let Some(far) = self.open().get(&flow) {
            datagrams::send(far, data);
            return None;
        }
        let near = *flow.near.ip();
        if self.common.is_refused(near, *flow.far.ip(), &packet::udp_header(flow)) {
            return None;
        }
        let Some(place) = self.places.take(near) else {
            self.common.counters.limited.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        match self.sockets(flow, data) {
            Ok((near, far)) => {
                self.common.counters.udp_flows.fetch_add(1, Ordering::Relaxed);
                self.open().insert(flow, Arc::clone(&far));
                Some(Arc::clone(self).exchange(flow, near, far, place))
            }
            Err(error) => {
                self.fail(flow, &error);
                None
            }
        }
    }

    /// Opens the sockets of a flow and sends its first datagram.
    fn sockets(&self, flow: Flow, data: &[u8]) -> io::Result<(UdpSocket, Arc<UdpSocket>)> {
        let far = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        far.connect(flow.far)?;
        far.set_nonblocking(true)?;
        let near = self.common.sockets.udp(flow)?;
        far.send(data)?;
        Ok((near, Arc::new(UdpSocket::from_std(far)?)))
    }

    async fn exchange(self: Arc<Self>, flow: Flow, near: UdpSocket, far: Arc<UdpSocket>, _place: Place) {
        let _entry = Entry { flows: &self, flow };
        let (mut answered, mut steady) = (false, false);
        loop {
            let idle = if steady { limits::UDP_IDLE_MS } else { limits::UDP_SINGLE_MS };
            let passed = tokio::select! {
                ready = datagrams::ready(&near) => {
                    // A client that goes on after an answer has more than one question.
                    steady |= answered;
                    ready.and_then(|()| pass(&near, &far))
                }
                ready = datagrams::ready(&far) => {
                    answered = true;
                    ready.and_then(|()| pass(&far, &near)).inspect_err(|error| self.fail(flow, error))
                }
                () = tokio::time::sleep(Duration::from_millis(idle)) => return,
            };
            if passed.is_err() {
                return;
            }
        }
    }

    fn fail(&self, flow: Flow, error: &io::Error) {
        tracing::debug!(near = %flow.near, far = %flow.far, %error, "a UDP flow that leaves the cloud's Internet failed");
        if let Some(packet) = unreachable(error).and_then(|why| packet::flow_unreachable(flow, why)) {
            self.common.sockets.answer(*flow.near.ip(), &packet);
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Flow, Arc<UdpSocket>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Entry<'a> {
    flows: &'a Flows,
    flow: Flow,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.flows.open().remove(&self.flow);
    }
}

/// Passes one datagram on.
fn pass(from: &UdpSocket, to: &UdpSocket) -> io::Result<()> {
    with_scratch(|scratch| match datagrams::receive(from, scratch) {
        Ok(size) => {
            datagrams::send(to, &scratch[..size]);
            Ok(())
        }
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(e) => Err(e),
    })
}

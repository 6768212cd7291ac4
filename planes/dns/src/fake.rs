//! The plane without packets: the same snapshots and answers; its sockets are held open and never read.

use crate::{Answer, Dns, DnsPlane, Kind, Server, Spec, View};
use escale_base::PlaneError;
use std::net::{TcpListener, UdpSocket};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
pub struct FakeDns {
    inner: DnsPlane,
    calls: Mutex<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    applied: Vec<Spec>,
    served: Vec<View>,
    fail_next: Option<PlaneError>,
}

impl FakeDns {
    pub fn new() -> FakeDns {
        FakeDns::default()
    }

    /// The next call that changes something fails with this error.
    pub fn fail_next(&self, error: PlaneError) {
        self.calls().fail_next = Some(error);
    }

    /// Every spec that was applied, in order.
    pub fn applied(&self) -> Vec<Spec> {
        self.calls().applied.clone()
    }

    /// Every view that was served, in order.
    pub fn served(&self) -> Vec<View> {
        self.calls().served.clone()
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn perhaps_fail(&self) -> Result<(), PlaneError> {
        self.calls().fail_next.take().map_or(Ok(()), Err)
    }
}

impl Dns for FakeDns {
    fn apply(&self, spec: Spec) -> Result<(), PlaneError> {
        self.perhaps_fail()?;
        self.inner.apply(spec.clone())?;
        self.calls().applied.push(spec);
        Ok(())
    }

    fn ask(&self, view: &View, name: &str, kind: Kind) -> Result<Answer, PlaneError> {
        self.inner.ask(view, name, kind)
    }

    fn serve(&self, view: View, udp: UdpSocket, tcp: TcpListener) -> Result<Server, PlaneError> {
        self.perhaps_fail()?;
        crate::known(&self.inner.shared, &view)?;
        let (mut server, udp, tcp) = Server::idle(udp, tcp)?;
        server.hold((udp, tcp));
        self.calls().served.push(view);
        Ok(server)
    }
}

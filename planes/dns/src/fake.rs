//! The plane without packets: the same snapshots and answers; its sockets are held open and never read.

use crate::{Answer, Dns, DnsPlane, Kind, OwnSockets, ServerSpec, Sockets as _, Spec, View};
use async_trait::async_trait;
use escale_base::{PlaneError, error::Context as _};
use escale_sockets::Kept;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Default)]
pub struct FakeDns {
    inner: DnsPlane,
    calls: Mutex<Calls>,
}

/// A server with its address, and the sockets that it holds.
type Held = (ServerSpec, SocketAddr, Option<(Kept<UdpSocket>, Kept<TcpListener>)>);

#[derive(Default)]
struct Calls {
    applied: Vec<Spec>,
    served: Vec<View>,
    servers: BTreeMap<String, Held>,
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

#[async_trait]
impl Dns for FakeDns {
    async fn apply(&self, spec: Spec) -> Result<(), PlaneError> {
        self.perhaps_fail()?;
        self.inner.load(spec.clone())?;
        self.calls().applied.push(spec);
        Ok(())
    }

    fn ask(&self, view: &View, name: &str, kind: Kind) -> Result<Answer, PlaneError> {
        self.inner.ask(view, name, kind)
    }

    async fn serve(&self, server: ServerSpec) -> Result<SocketAddr, PlaneError> {
        self.perhaps_fail()?;
        crate::known(&self.inner.shared, &server.view)?;
        let kept = self.calls().servers.remove(&server.name).filter(|(spec, _, _)| server.is_served_by(spec));
        let (address, sockets) = match kept {
            Some((_, address, sockets)) => (address, sockets),
            // Other networks do not exist, so only a server in the process's own one has sockets.
            None if server.place.is_some() => (server.address, None),
            None => {
                let (udp, tcp) = OwnSockets::default().open(None, server.address).await?;
                let address = udp.local_addr().machine(|| "read the address of a socket".to_owned())?;
                (address, Some((udp, tcp)))
            }
        };
        let mut calls = self.calls();
        calls.served.push(server.view.clone());
        calls.servers.insert(server.name.clone(), (ServerSpec { address, ..server }, address, sockets));
        Ok(address)
    }

    async fn stop(&self, name: &str) -> Result<(), PlaneError> {
        self.perhaps_fail()?;
        self.calls().servers.remove(name);
        Ok(())
    }
}

//! DNS: public zones, and a resolver for each network, over sockets that the caller opens.
//!
//! [`Spec`] holds all data; [`Dns::apply`] compiles it into a snapshot and swaps that in one step;
//! [`Dns::serve`] answers on a pair of sockets that the caller's [`Sockets`] open. It knows no namespace, never writes a
//! file and keeps no state: after a restart the caller applies and serves again.
//! It does not recurse (an upstream does), does not sign (DNSSEC) and does not transfer zones.
//!
//! Start at [`spec`], then `lookup.rs`, which turns a question into an answer.

mod batch;
pub mod fake;
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod lookup;
mod message;
mod rate;
mod server;
mod snapshot;
mod sockets;
pub mod spec;
mod upstream;
mod value;
mod zone;

pub use fake::FakeDns;
pub use host::{host_servers, host_servers_answer};
pub use server::{Counts, Server};
pub use sockets::OwnSockets;
pub use spec::{Data, Kind, Record, Resolver, Routing, ServerSpec, Servers, Spec, Upstream, View, Zone};

use async_trait::async_trait;
use escale_base::PlaneError;
use escale_sockets::Kept;
use hickory_proto::op::ResponseCode;
use snapshot::Shared;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    sync::Arc,
};
use tokio::sync::Mutex;

/// The plane, real or fake.
#[async_trait]
pub trait Dns: Send + Sync {
    /// Answers from this spec from now on, on all servers at once. The whole spec is applied, or none of it if any part of it is
    /// invalid. Cheap for unchanged parts.
    async fn apply(&self, spec: Spec) -> Result<(), PlaneError>;

    /// The view's answer at this moment, without a packet; [`Code::Forwarded`] when only the upstream knows it.
    fn ask(&self, view: &View, name: &str, kind: Kind) -> Result<Answer, PlaneError>;

    /// Serves the view at the address until the server is stopped, and returns the address with its actual port. A server
    /// of the same name is replaced, unless it is the same. May be repeated.
    async fn serve(&self, server: ServerSpec) -> Result<SocketAddr, PlaneError>;

    /// Closes the sockets of the server; they are closed when it returns. A server that does not exist is no error.
    async fn stop(&self, name: &str) -> Result<(), PlaneError>;
}

/// Opens the sockets of servers. The caller decides where a place is.
#[async_trait]
pub trait Sockets: Send + Sync {
    /// Both sockets have the same port.
    async fn open(
        &self,
        place: Option<&str>,
        address: SocketAddr,
    ) -> Result<(Kept<UdpSocket>, Kept<TcpListener>), PlaneError>;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub code: Code,
    pub records: Vec<AnswerRecord>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerRecord {
    /// With the final dot.
    pub name: String,
    /// The record type's name: `A`, `CNAME`.
    pub kind: String,
    pub ttl_secs: u32,
    /// In the format of zone files.
    pub value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The name exists; an answer without records means that it has none of this kind.
    NoError,
    NoSuchName,
    ServerFailure,
    Refused,
    /// The rest of the answer comes from the upstream.
    Forwarded,
}

/// The real plane. Clones share one snapshot and the servers.
#[derive(Clone)]
pub struct DnsPlane {
    shared: Arc<Shared>,
    sockets: Arc<dyn Sockets>,
    servers: Arc<Mutex<BTreeMap<String, (ServerSpec, Server)>>>,
}

impl Default for DnsPlane {
    fn default() -> DnsPlane {
        DnsPlane::with_sockets(Arc::new(OwnSockets::default()))
    }
}

impl DnsPlane {
    /// Serves in the process's own network only.
    pub fn new() -> DnsPlane {
        DnsPlane::default()
    }

    pub fn with_sockets(sockets: Arc<dyn Sockets>) -> DnsPlane {
        DnsPlane { shared: Arc::default(), sockets, servers: Arc::default() }
    }

    /// As [`Dns::apply`], which waits for nothing here.
    pub fn load(&self, spec: Spec) -> Result<(), PlaneError> {
        self.shared.apply(spec)
    }

    /// Serves the view over these sockets until the handle is dropped. Must be called inside a tokio runtime.
    pub fn serve_on(
        &self,
        view: View,
        udp: impl Into<Kept<UdpSocket>>,
        tcp: impl Into<Kept<TcpListener>>,
    ) -> Result<Server, PlaneError> {
        known(&self.shared, &view)?;
        server::start(view, self.shared.clone(), udp.into(), tcp.into())
    }

    /// The names of the public zones that have an address or an alias, without wildcards and name servers.
    pub fn public_names(&self) -> BTreeSet<String> {
        self.shared.public_names()
    }

    /// The addresses that resolvers outside have for a name. None if there is no such name, if it is withheld, or if the spec has no
    /// resolvers outside. Does not ask the zones.
    pub async fn addresses_outside(&self, name: &str) -> io::Result<Vec<Ipv4Addr>> {
        let name = value::name(name).map_err(io::Error::other)?;
        match self.shared.outside(&name) {
            Some(servers) => upstream::addresses(&servers, &name).await,
            None => Ok(Vec::new()),
        }
    }

    /// The names of the servers.
    pub async fn servers(&self) -> Vec<String> {
        self.servers.lock().await.keys().cloned().collect()
    }
}

#[async_trait]
impl Dns for DnsPlane {
    async fn apply(&self, spec: Spec) -> Result<(), PlaneError> {
        self.load(spec)
    }

    fn ask(&self, view: &View, name: &str, kind: Kind) -> Result<Answer, PlaneError> {
        let name = value::name(name).map_err(PlaneError::asked)?;
        known(&self.shared, view)?;
        let reply = self.shared.reply(view, &name, kind.record_type(), &mut rand::rng());
        let code = match reply.code {
            _ if reply.forward.is_some() => Code::Forwarded,
            ResponseCode::NoError => Code::NoError,
            ResponseCode::NXDomain => Code::NoSuchName,
            ResponseCode::Refused => Code::Refused,
            _ => Code::ServerFailure,
        };
        let record = |r: &hickory_proto::rr::Record| AnswerRecord {
            name: r.name().to_ascii(),
            kind: r.record_type().to_string(),
            ttl_secs: r.ttl(),
            value: value::text(r.data()),
        };
        Ok(Answer { code, records: reply.answers.iter().map(record).collect() })
    }

    async fn serve(&self, server: ServerSpec) -> Result<SocketAddr, PlaneError> {
        known(&self.shared, &server.view)?;
        let mut servers = self.servers.lock().await;
        match servers.remove(&server.name) {
            Some((spec, running)) if server.is_served_by(&spec) => {
                let address = running.udp;
                servers.insert(server.name.clone(), (spec, running));
                return Ok(address);
            }
            Some((_, old)) => old.stop().await,
            None => {}
        }
        let (udp, tcp) = self.sockets.open(server.place.as_deref(), server.address).await?;
        let running = self.serve_on(server.view.clone(), udp, tcp)?;
        let address = running.udp;
        servers.insert(server.name.clone(), (ServerSpec { address, ..server }, running));
        Ok(address)
    }

    async fn stop(&self, name: &str) -> Result<(), PlaneError> {
        let mut servers = self.servers.lock().await;
        if let Some((_, running)) = servers.remove(name) {
            running.stop().await;
        }
        Ok(())
    }
}

fn known(shared: &Shared, view: &View) -> Result<(), PlaneError> {
    if shared.knows(view) {
        return Ok(());
    }
    Err(PlaneError::asked(format!(
        "{view} is not in the last applied spec; apply a spec that contains it first"
    )))
}

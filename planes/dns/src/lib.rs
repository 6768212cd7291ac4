//! DNS: public zones, and a resolver for each network, over sockets that the caller binds.
//!
//! [`Spec`] holds all data; [`Dns::apply`] compiles it into a snapshot and swaps that in one step;
//! [`Dns::serve`] answers on a pair of sockets in the namespace where the caller bound them. It never binds a
//! server's socket, never writes a file and keeps no state: after a restart the caller applies and serves again.
//! It does not recurse (an upstream does), does not sign (DNSSEC) and does not transfer zones.
//!
//! Start at [`spec`], then `lookup.rs`, which turns a question into an answer.

pub mod fake;
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod lookup;
mod message;
mod rate;
mod server;
mod snapshot;
pub mod spec;
mod upstream;
mod value;
mod zone;

pub use fake::FakeDns;
pub use host::{host_servers, host_servers_answer};
pub use server::{Counts, Server};
pub use spec::{Data, Kind, Record, Resolver, Routing, Servers, Spec, Upstream, View, Zone};

use escale_base::PlaneError;
use hickory_proto::op::ResponseCode;
use snapshot::Shared;
use std::{
    net::{TcpListener, UdpSocket},
    sync::Arc,
};
use tokio::runtime::Handle;

/// The plane, real or fake.
pub trait Dns: Send + Sync {
    /// Answers from this spec from now on, on all servers at once. The whole spec is applied, or none of it if any part of it is
    /// invalid. Cheap for unchanged parts.
    fn apply(&self, spec: Spec) -> Result<(), PlaneError>;

    /// The view's answer at this moment, without a packet; [`Code::Forwarded`] when only the upstream knows it.
    fn ask(&self, view: &View, name: &str, kind: Kind) -> Result<Answer, PlaneError>;

    /// Serves the view over these sockets until the handle is dropped. Each socket must be bound to one address
    /// (the answer's source is the question's destination). Must be called inside a tokio runtime.
    fn serve(&self, view: View, udp: UdpSocket, tcp: TcpListener) -> Result<Server, PlaneError>;
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

/// The real plane. Clones share one snapshot.
#[derive(Clone, Debug, Default)]
pub struct DnsPlane {
    shared: Arc<Shared>,
    runtime: Option<Handle>,
}

impl DnsPlane {
    pub fn new() -> DnsPlane {
        DnsPlane::default()
    }

    /// Serves on the threads of this runtime, whichever thread calls; otherwise on the caller's.
    pub fn on(mut self, runtime: Handle) -> DnsPlane {
        self.runtime = Some(runtime);
        self
    }
}

impl Dns for DnsPlane {
    fn apply(&self, spec: Spec) -> Result<(), PlaneError> {
        self.shared.apply(spec)
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

    fn serve(&self, view: View, udp: UdpSocket, tcp: TcpListener) -> Result<Server, PlaneError> {
        known(&self.shared, &view)?;
        let _on_runtime = self.runtime.as_ref().map(Handle::enter);
        server::start(view, self.shared.clone(), udp, tcp)
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

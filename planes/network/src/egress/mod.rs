//! Egress: packets that leave the cloud's Internet for an address outside of it go out from this process's own network
//! namespace, as the connections of any program do. The host's namespace gets no address, route or rule.
//!
//! What may leave is decided before: routers send only what has a public address, behind their groups and routes. Here only
//! the destination is checked (`policy.rs`). IPv4 only, like the networks: TCP, UDP, and ICMP echo.
//!
//! The answers are those of the far end: a connection is accepted only after the far end has accepted it, refused with
//! the far end's refusal, and silent if the far end is (`tcp.rs`). All flows end with the [`Egress`]; the rules stay, so a SYN
//! that is repeated while no process runs is answered by the next one.
//!
//! Start at `rules.rs`, which explains how packets get here.

mod datagrams;
mod echo;
mod outside;
mod packet;
mod policy;
mod pump;
mod rules;
mod share;
mod sockets;
mod tcp;
mod udp;

use crate::Namespace;
use echo::{Echoes, Pings};
use escale_base::{PlaneError, error::Context as _, limits};
use ipnet::Ipv4Net;
pub use outside::Outside;
use packet::{Packet, Unreachable};
use serde::{Deserialize, Serialize};
use sockets::Sockets;
use std::{
    collections::BTreeSet,
    io,
    net::Ipv4Addr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tcp::{Connections, Syn};
use tokio::task::{JoinHandle, JoinSet};
use udp::Flows;

/// The configuration of egress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressSpec {
    /// Addresses that may be reached although they are private, link-local or the host's own.
    pub allowed: BTreeSet<Ipv4Net>,
    /// The most TCP connections at a time; each has two file descriptors. UDP flows are as many at most.
    pub connections: usize,
}

/// Passes packets on until it is stopped or dropped.
#[derive(Debug)]
pub struct Egress {
    counters: Arc<Counters>,
    task: JoinHandle<()>,
}

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EgressCounts {
    /// TCP connections to far ends that were tried.
    pub connections: u64,
    /// Connections that the far end, or the network, refused.
    pub failed: u64,
    pub udp_flows: u64,
    /// Sequences of ICMP echo requests.
    pub echoes: u64,
    /// Packets to addresses that must not be reached.
    pub refused: u64,
    /// Packets that were dropped because too many flows exist.
    pub limited: u64,
}

#[derive(Debug, Default)]
struct Counters {
    connections: AtomicU64,
    failed: AtomicU64,
    udp_flows: AtomicU64,
    echoes: AtomicU64,
    refused: AtomicU64,
    limited: AtomicU64,
}

/// What TCP, UDP and ICMP share.
struct Common {
    spec: EgressSpec,
    sockets: Sockets,
    counters: Arc<Counters>,
}

impl EgressSpec {
    /// Refuses a specification that cannot have an effect.
    pub fn check(&self) -> Result<(), PlaneError> {
        let refused = self.allowed.iter().find_map(|net| Some((net, policy::cannot_be_allowed(*net)?)));
        match refused {
            Some((net, why)) => {
                Err(PlaneError::asked(format!("{net} cannot be reached from the cloud: {why}")))
            }
            None => Ok(()),
        }
    }
}

impl Egress {
    /// Opens the way from the Internet's namespace to the calling process's own. Must be called within a tokio runtime, whose
    /// threads then carry all traffic.
    pub async fn open(internet: Namespace, spec: EgressSpec) -> Result<Egress, PlaneError> {
        spec.check()?;
        let sockets = Sockets::open(internet.clone())?;
        // After the sockets: what the rules deliver finds a listener.
        rules::set(&internet).await?;
        let counters = Arc::new(Counters::default());
        let common = Common { spec, sockets, counters: Arc::clone(&counters) };
        Ok(Egress { counters, task: tokio::spawn(serve(Arc::new(common))) })
    }

    /// Removes what an earlier process opened: nothing outside can be reached then.
    pub async fn close(internet: &Namespace) -> Result<(), PlaneError> {
        rules::clear(internet).await
    }

    /// Whether this machine can open a way out; the error says what it lacks. Needs root, and works in a namespace of its own.
    /// Must be called outside of a tokio runtime, or on a thread of its own.
    pub fn probe() -> Result<(), PlaneError> {
        let probe = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.machine(|| "start a runtime".into())?.block_on(async {
                let internet = Namespace::create(Path::new("probe-egress"))?;
                let spec = EgressSpec { allowed: BTreeSet::new(), connections: 1 };
                Egress::open(internet, spec).await.map(drop)
            })
        };
        let ended = std::thread::spawn(probe).join();
        ended.unwrap_or_else(|_| Err(PlaneError::plane("the thread that probes egress panicked")))
    }

    pub fn counts(&self) -> EgressCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { connections, failed, udp_flows, echoes, refused, limited } = &*self.counters;
        EgressCounts {
            connections: read(connections),
            failed: read(failed),
            udp_flows: read(udp_flows),
            echoes: read(echoes),
            refused: read(refused),
            limited: read(limited),
        }
    }

    /// Cuts all flows and closes all sockets; they are gone when this returns.
    pub async fn stop(mut self) {
        self.task.abort();
        // The task ends by the abort, which is not a failure.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Egress {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Common {
    /// Whether the far end must not be reached; then the sender gets an error.
    fn is_refused(&self, near: Ipv4Addr, far: Ipv4Addr, packet: &[u8]) -> bool {
        let Some(why) = policy::refusal(far, &self.spec.allowed) else { return false };
        // Each one at debug level only: a task must not fill the log.
        tracing::debug!(%near, %far, why, "refused a packet that leaves the cloud's Internet");
        self.counters.refused.fetch_add(1, Ordering::Relaxed);
        self.sockets.unreachable(near, packet, Unreachable::Prohibited);
        true
    }
}

/// Reads the first packets of all flows. The flows end with this future.
async fn serve(common: Arc<Common>) {
    let sockets = &common.sockets;
    let tcp = Connections::new(Arc::clone(&common));
    let udp = Flows::new(Arc::clone(&common));
    let echoes = Echoes::new(Arc::clone(&common));
    let mut flows = JoinSet::new();
    let (mut packet, mut datagram) = (vec![0; usize::from(u16::MAX)], vec![0; usize::from(u16::MAX)]);
    loop {
        // A flood of first packets must not keep the other tasks of this thread waiting.
        tokio::task::consume_budget().await;
        let done = tokio::select! {
            read = sockets.packet(&mut packet) => read.map(|size| first_packet(&tcp, &echoes, &packet[..size], &mut flows)),
            read = sockets.datagram(&mut datagram) => read.map(|(flow, size)| {
                if let Some(work) = udp.begin(flow, &datagram[..size]) {
                    flows.spawn(work);
                }
            }),
            accepted = sockets.listener.accept() => accepted.map(|(stream, peer)| tcp.accepted(stream, peer)),
            // Removes finished flows, which the set would otherwise keep.
            Some(_) = flows.join_next() => Ok(()),
        };
        if let Err(error) = done {
            pause(&error).await;
        }
    }
}

fn first_packet(tcp: &Arc<Connections>, echoes: &Arc<Echoes>, bytes: &[u8], flows: &mut JoinSet<()>) {
    match packet::read(bytes) {
        Some(Packet::Syn { flow, sequence, payload }) => {
            if let Some(work) = tcp.begin(Syn { flow, sequence, payload, packet: bytes.to_vec() }) {
                flows.spawn(work);
            }
        }
        Some(Packet::Echo { near, far, id, sequence, data }) => {
            if let Some(work) = echoes.begin(Pings { near, far, id }, sequence, data, bytes) {
                flows.spawn(work);
            }
        }
        None => {}
    }
}

/// The process has mostly run out of file descriptors or memory, and no event reports when there is some again.
async fn pause(error: &io::Error) {
    tracing::warn!(%error, "cannot receive packets that leave the cloud's Internet; the next attempt follows");
    tokio::time::sleep(Duration::from_millis(limits::BACKOFF_MIN_MS)).await;
}

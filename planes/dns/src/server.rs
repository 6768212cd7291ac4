//! The loops over a pair of sockets. All tasks of a server end with its [`Server`] handle.

use crate::batch::{self, Buffers};
use crate::lookup::Reply;
use crate::message::{self, Question, Received};
use crate::rate::Rate;
use crate::snapshot::Shared;
use crate::spec::View;
use crate::upstream;
use escale_base::{PlaneError, error::Context, limits::dns as limits};
use escale_sockets::Kept;
use hickory_proto::op::ResponseCode;
use std::net::SocketAddr;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// A running server. Dropping it ends its tasks; [`Server::stop`] also waits until its sockets are closed.
#[derive(Debug)]
pub struct Server {
    pub udp: SocketAddr,
    pub tcp: SocketAddr,
    counters: Arc<Counters>,
    tasks: JoinSet<()>,
}

impl Server {
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }

    /// Counters since the server started.
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { questions, malformed, limited, forwarded, upstream_failed } = &*self.counters;
        Counts {
            questions: read(questions),
            malformed: read(malformed),
            limited: read(limited),
            forwarded: read(forwarded),
            upstream_failed: read(upstream_failed),
        }
    }

    /// A handle for sockets that no task reads yet.
    fn idle(
        udp: Kept<std::net::UdpSocket>,
        tcp: Kept<std::net::TcpListener>,
    ) -> Result<(Server, Kept<UdpSocket>, Kept<TcpListener>), PlaneError> {
        let place = || "use the DNS sockets".to_owned();
        udp.set_nonblocking(true).machine(place)?;
        tcp.set_nonblocking(true).machine(place)?;
        let udp = udp.try_map(UdpSocket::from_std).machine(place)?;
        let tcp = tcp.try_map(TcpListener::from_std).machine(place)?;
        let server = Server {
            udp: udp.local_addr().machine(place)?,
            tcp: tcp.local_addr().machine(place)?,
            counters: Arc::default(),
            tasks: JoinSet::new(),
        };
        Ok((server, udp, tcp))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub questions: u64,
    /// Not a question, or one that violates the protocol.
    pub malformed: u64,
    /// Not answered because the client exceeded its rate.
    pub limited: u64,
    pub forwarded: u64,
    /// Forwarded, and answered SERVFAIL because the upstream did not answer or too many questions waited for it.
    pub upstream_failed: u64,
}

#[derive(Debug, Default)]
struct Counters {
    questions: AtomicU64,
    malformed: AtomicU64,
    limited: AtomicU64,
    forwarded: AtomicU64,
    upstream_failed: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Shared by the tasks of one server.
#[derive(Clone)]
struct Subject {
    view: View,
    shared: Arc<Shared>,
    counters: Arc<Counters>,
    forwards: Arc<Semaphore>,
}

pub(crate) fn start(
    view: View,
    shared: Arc<Shared>,
    udp: Kept<std::net::UdpSocket>,
    tcp: Kept<std::net::TcpListener>,
) -> Result<Server, PlaneError> {
    let (mut server, udp, tcp) = Server::idle(udp, tcp)?;
    let forwards = Arc::new(Semaphore::new(limits::FORWARDS));
    let subject = Subject { view, shared, counters: server.counters.clone(), forwards };
    server.tasks.spawn(udp_loop(subject.clone(), Arc::new(udp)));
    server.tasks.spawn(tcp_loop(subject, tcp));
    Ok(server)
}

async fn udp_loop(subject: Subject, socket: Arc<Kept<UdpSocket>>) {
    let mut buffers = Buffers::new();
    let mut rate = Rate::new();
    let mut waiting = JoinSet::new();
    loop {
        // An error here is a late ICMP answer to an earlier packet: the socket itself is still usable.
        let packets = match buffers.receive(&socket).await {
            Ok(packets) => packets,
            Err(error) => {
                tracing::debug!(%error, "cannot receive a query");
                tokio::task::yield_now().await;
                continue;
            }
        };
        // Reaps finished tasks, or the set would grow with every forwarded question.
        while waiting.try_join_next().is_some() {}
        let mut answers = Vec::with_capacity(packets.len());
        for (bytes, client) in packets {
            // Before anything is decoded: packets above the rate must cost as little as possible, and get no answer.
            if !rate.allows(client.ip(), subject.shared.queries_per_second(&subject.view)) {
                count(&subject.counters.limited);
                continue;
            }
            match subject.begin(bytes) {
                Begun::Done(None) => {}
                Begun::Done(Some((question, reply))) => {
                    let limit = question.udp_bytes();
                    answers.push((question.answer(reply, limit), client));
                }
                Begun::Refused(bytes) => answers.push((bytes, client)),
                Begun::Forward(question, reply) => {
                    let (subject, socket) = (subject.clone(), socket.clone());
                    // On a task of its own, so that a slow upstream delays only the questions that need it.
                    waiting.spawn(async move {
                        let reply = subject.forward(&question, reply).await;
                        let answer = question.answer(reply, question.udp_bytes());
                        batch::send(&socket, &[(answer, client)]).await;
                    });
                }
            }
        }
        batch::send(&socket, &answers).await;
    }
}

async fn tcp_loop(subject: Subject, listener: Kept<TcpListener>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < limits::TCP_CONNECTIONS => match accepted {
                Ok((stream, _)) => drop(connections.spawn(connection(subject.clone(), stream))),
                Err(error) => {
                    tracing::debug!(%error, "cannot accept a DNS connection");
                    tokio::task::yield_now().await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection: questions in order, each preceded by two bytes of length (RFC 7766).
async fn connection(subject: Subject, mut stream: TcpStream) {
    let idle = Duration::from_millis(limits::TCP_IDLE_MS);
    loop {
        let Ok(Ok(bytes)) = tokio::time::timeout(idle, framed(&mut stream)).await else { return };
        let answer = match subject.begin(&bytes) {
            Begun::Done(None) => return,
            Begun::Done(Some((question, reply))) => question.answer(reply, usize::from(u16::MAX)),
            Begun::Refused(bytes) => bytes,
            Begun::Forward(question, reply) => {
                let reply = subject.forward(&question, reply).await;
                question.answer(reply, usize::from(u16::MAX))
            }
        };
        let Ok(size) = u16::try_from(answer.len()) else { return };
        let framed = [&size.to_be_bytes(), answer.as_slice()].concat();
        if !matches!(tokio::time::timeout(idle, stream.write_all(&framed)).await, Ok(Ok(()))) {
            return;
        }
    }
}

async fn framed(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// The result of a question before any waiting.
enum Begun {
    Done(Option<(Box<Question>, Reply)>),
    Refused(Vec<u8>),
    Forward(Box<Question>, Reply),
}

impl Subject {
    fn begin(&self, bytes: &[u8]) -> Begun {
        let question = match message::read(bytes) {
            Received::Question(question) => question,
            Received::Answer(bytes) => {
                count(&self.counters.malformed);
                return Begun::Refused(bytes);
            }
            Received::Ignored => {
                count(&self.counters.malformed);
                return Begun::Done(None);
            }
        };
        count(&self.counters.questions);
        let (name, kind) = (question.query.name(), question.query.query_type());
        let mut reply = self.shared.reply(&self.view, name, kind, &mut rand::rng());
        match reply.forward {
            None => Begun::Done(Some((question, reply))),
            // RFC 1034 4.3.1: a client that does not request recursion gets none.
            Some(_) if !question.recursion_desired => {
                reply.code = ResponseCode::Refused;
                Begun::Done(Some((question, reply)))
            }
            Some(_) => Begun::Forward(question, reply),
        }
    }

    async fn forward(&self, question: &Question, mut reply: Reply) -> Reply {
        count(&self.counters.forwarded);
        reply.code = ResponseCode::ServFail;
        let (Some(name), Some(servers)) = (reply.forward.take(), self.shared.upstream(&self.view)) else {
            return reply;
        };
        // Never waits: with a dead upstream the questions would pile up behind each other.
        let Ok(_permit) = self.forwards.try_acquire() else {
            count(&self.counters.upstream_failed);
            return reply;
        };
        match upstream::ask(&servers, question, &name).await {
            Ok(mut answer) => {
                reply.code = answer.response_code();
                reply.answers.extend(answer.take_answers());
                reply.authority = answer.take_name_servers();
            }
            Err(error) => {
                count(&self.counters.upstream_failed);
                tracing::debug!(?servers, %name, %error, "cannot query the upstream resolvers");
            }
        }
        reply
    }
}

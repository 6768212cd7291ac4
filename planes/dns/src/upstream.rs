//! Queries to upstream servers: one question, from an unpredictable port and with an unpredictable id; TCP if truncated.

use crate::message::Question;
use escale_base::limits::dns as limits;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpStream, UdpSocket};

/// Asks for `name` with the type of `question`: each server once, a single one twice. As the C library does, it asks the
/// next server if one cannot answer, and otherwise takes the first answer, also a negative one.
pub(crate) async fn ask(servers: &[SocketAddr], question: &Question, name: &Name) -> io::Result<Message> {
    let flags = Flags { dnssec_ok: question.dnssec_ok, checking_disabled: question.checking_disabled };
    ask_for(servers, name, question.query.query_type(), flags).await
}

/// The addresses of a name; none if it does not exist or has no IPv4 address.
pub(crate) async fn addresses(servers: &[SocketAddr], name: &Name) -> io::Result<Vec<Ipv4Addr>> {
    let answer = ask_for(servers, name, RecordType::A, Flags::default()).await?;
    match answer.response_code() {
        ResponseCode::NoError | ResponseCode::NXDomain => {}
        code => return Err(io::Error::other(format!("the host's resolvers answer {code} for {name}"))),
    }
    let address = |record: &Record| match record.data() {
        RData::A(address) => Some(address.0),
        _ => None,
    };
    // A resolver's answer also has the CNAME records that lead to the addresses.
    Ok(answer.answers().iter().filter_map(address).collect())
}

#[derive(Default)]
struct Flags {
    dnssec_ok: bool,
    checking_disabled: bool,
}

async fn ask_for(servers: &[SocketAddr], name: &Name, kind: RecordType, flags: Flags) -> io::Result<Message> {
    let query = Query::query(name.clone(), kind);
    let mut edns = Edns::new();
    edns.set_max_payload(limits::UDP_ANSWER_BYTES as u16).set_dnssec_ok(flags.dnssec_ok);
    let mut message = Message::new();
    message
        .set_op_code(OpCode::Query)
        .set_recursion_desired(true)
        .set_checking_disabled(flags.checking_disabled)
        .add_query(query)
        .set_edns(edns);
    let mut last = Err(io::Error::from(io::ErrorKind::TimedOut));
    let tries = servers.len().clamp(2, limits::UPSTREAM_SERVERS);
    for server in servers.iter().cycle().take(tries) {
        message.set_id(rand::random());
        let limit = Duration::from_millis(limits::UPSTREAM_TRY_MS);
        match tokio::time::timeout(limit, exchange(*server, &message)).await {
            Ok(Ok(answer)) if cannot_answer(answer.response_code()) => last = Ok(answer),
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) if last.is_err() => last = Err(error),
            Ok(Err(_)) | Err(_) => {}
        }
    }
    last
}

/// Whether a server answers a question about the root at all.
pub(crate) async fn is_there(server: SocketAddr) -> bool {
    let mut message = Message::new();
    message
        .set_op_code(OpCode::Query)
        .set_recursion_desired(true)
        .set_id(rand::random())
        .add_query(Query::query(Name::root(), RecordType::NS));
    let limit = Duration::from_millis(limits::UPSTREAM_TRY_MS);
    matches!(tokio::time::timeout(limit, exchange(server, &message)).await, Ok(Ok(_)))
}

fn cannot_answer(code: ResponseCode) -> bool {
    matches!(code, ResponseCode::ServFail | ResponseCode::NotImp | ResponseCode::Refused)
}

async fn exchange(upstream: SocketAddr, question: &Message) -> io::Result<Message> {
    let bytes = question.to_vec().map_err(io::Error::other)?;
    let any: SocketAddr = if upstream.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(upstream).await?;
    socket.send(&bytes).await?;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        // Tokio's `recv` does not wake when an ICMP error reports that there is no server.
        socket.ready(Interest::READABLE | Interest::ERROR).await?;
        let size = match socket.try_recv(&mut buffer) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => match socket.take_error()? {
                Some(error) => return Err(error),
                None => continue,
            },
            received => received?,
        };
        // A packet that does not answer this question may be forged: keep waiting.
        let Some(answer) = matching(&buffer[..size], question) else { continue };
        return if answer.truncated() { over_tcp(upstream, question, &bytes).await } else { Ok(answer) };
    }
}

async fn over_tcp(upstream: SocketAddr, question: &Message, bytes: &[u8]) -> io::Result<Message> {
    let mut stream = TcpStream::connect(upstream).await?;
    let size = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.write_all(&[&size.to_be_bytes(), bytes].concat()).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    matching(&answer, question).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn matching(bytes: &[u8], question: &Message) -> Option<Message> {
    let answer = Message::from_vec(bytes).ok()?;
    let same = answer.message_type() == MessageType::Response
        && answer.id() == question.id()
        && answer.queries() == question.queries();
    same.then_some(answer)
}

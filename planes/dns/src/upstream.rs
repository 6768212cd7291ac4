//! Queries to the upstream: one question, from an unpredictable port and with an unpredictable id; TCP if truncated.

use crate::message::Question;
use escale_base::limits::dns as limits;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::Name;
use std::{io, net::SocketAddr, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

/// Asks for `name` with the type of `question`; two attempts.
pub(crate) async fn ask(upstream: SocketAddr, question: &Question, name: &Name) -> io::Result<Message> {
    let query = Query::query(name.clone(), question.query.query_type());
    let mut edns = Edns::new();
    edns.set_max_payload(limits::UDP_ANSWER_BYTES as u16).set_dnssec_ok(question.dnssec_ok);
    let mut message = Message::new();
    message
        .set_op_code(OpCode::Query)
        .set_recursion_desired(true)
        .set_checking_disabled(question.checking_disabled)
        .add_query(query)
        .set_edns(edns);
    let mut last = io::Error::from(io::ErrorKind::TimedOut);
    for _ in 0..2 {
        message.set_id(rand::random());
        let limit = Duration::from_millis(limits::UPSTREAM_TRY_MS);
        match tokio::time::timeout(limit, exchange(upstream, &message)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => last = error,
            Err(_) => {}
        }
    }
    Err(last)
}

async fn exchange(upstream: SocketAddr, question: &Message) -> io::Result<Message> {
    let bytes = question.to_vec().map_err(io::Error::other)?;
    let any: SocketAddr = if upstream.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(upstream).await?;
    socket.send(&bytes).await?;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let size = socket.recv(&mut buffer).await?;
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

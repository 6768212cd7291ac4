//! Receives and sends several packets with one system call each. Under load that is half of a question's cost; without load, a
//! batch is one packet.

use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use std::{
    io::{self, IoSlice, IoSliceMut},
    net::SocketAddr,
    os::fd::AsRawFd,
};
use tokio::{io::Interest, net::UdpSocket};

/// Packets of one batch.
const PACKETS: usize = 16;

/// Room for a batch.
pub(crate) struct Buffers(Vec<Vec<u8>>);

impl Buffers {
    pub(crate) fn new() -> Buffers {
        // As large as any UDP packet: a shorter buffer would cut questions silently. Memory that no packet uses stays untouched.
        Buffers((0..PACKETS).map(|_| vec![0; usize::from(u16::MAX)]).collect())
    }

    /// Waits for packets, and returns those that have arrived.
    pub(crate) async fn receive(&mut self, socket: &UdpSocket) -> io::Result<Vec<(&[u8], SocketAddr)>> {
        let heads = socket.async_io(Interest::READABLE, || fill(socket, &mut self.0)).await?;
        let packets = self.0.iter().zip(heads);
        Ok(packets.filter_map(|(bytes, (size, client))| Some((bytes.get(..size)?, client?))).collect())
    }
}

/// The size and the sender of each packet.
fn fill(socket: &UdpSocket, buffers: &mut [Vec<u8>]) -> io::Result<Vec<(usize, Option<SocketAddr>)>> {
    let mut slices: Vec<[IoSliceMut<'_>; 1]> = buffers.iter_mut().map(|b| [IoSliceMut::new(b)]).collect();
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(slices.len(), None);
    let received =
        recvmmsg(socket.as_raw_fd(), &mut headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)?;
    Ok(received.map(|packet| (packet.bytes, packet.address.as_ref().and_then(address))).collect())
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = || Some(SocketAddr::V4((*storage.as_sockaddr_in()?).into()));
    v4().or_else(|| Some(SocketAddr::V6((*storage.as_sockaddr_in6()?).into())))
}

/// Sends answers. A client that is gone needs none; any other will ask again.
pub(crate) async fn send(socket: &UdpSocket, answers: &[(Vec<u8>, SocketAddr)]) {
    let sent = match answers {
        // Not more than one, so there is nothing to gain.
        [] | [_] => 0,
        _ => socket.try_io(Interest::WRITABLE, || send_now(socket, answers)).unwrap_or(0),
    };
    for (bytes, client) in &answers[sent.min(answers.len())..] {
        if let Err(error) = socket.send_to(bytes, *client).await {
            tracing::debug!(%client, %error, "cannot send a response");
        }
    }
}

/// How many of the answers were sent, in order.
fn send_now(socket: &UdpSocket, answers: &[(Vec<u8>, SocketAddr)]) -> io::Result<usize> {
    let slices: Vec<[IoSlice<'_>; 1]> = answers.iter().map(|(bytes, _)| [IoSlice::new(bytes)]).collect();
    let clients: Vec<Option<SockaddrStorage>> =
        answers.iter().map(|(_, client)| Some(SockaddrStorage::from(*client))).collect();
    let mut headers = MultiHeaders::preallocate(slices.len(), None);
    let none: [ControlMessage<'_>; 0] = [];
    let flags = MsgFlags::MSG_DONTWAIT;
    Ok(sendmmsg(socket.as_raw_fd(), &mut headers, &slices, &clients, none, flags)?.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn batch_goes_to_its_senders() {
        for bind in ["127.0.0.1:0", "[::1]:0"] {
            let server = UdpSocket::bind(bind).await.unwrap();
            let to = server.local_addr().unwrap();
            let mut clients = Vec::new();
            for i in 0..PACKETS as u8 + 4 {
                let client = UdpSocket::bind(bind).await.unwrap();
                client.send_to(&[i; 3], to).await.unwrap();
                clients.push(client);
            }
            let (mut buffers, mut batches) = (Buffers::new(), Vec::new());
            while batches.iter().sum::<usize>() < clients.len() {
                let packets = buffers.receive(&server).await.unwrap();
                batches.push(packets.len());
                let answers: Vec<_> =
                    packets.into_iter().map(|(bytes, client)| (bytes.to_vec(), client)).collect();
                send(&server, &answers).await;
            }
            assert_eq!(batches, [PACKETS, 4]);
            for (i, client) in clients.iter().enumerate() {
                let mut got = [0; 8];
                assert_eq!(client.recv(&mut got).await.unwrap(), 3);
                assert_eq!(usize::from(got[0]), i);
            }
        }
    }
}

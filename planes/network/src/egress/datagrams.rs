//! Sends and receives on sockets of datagrams. Tokio's own calls lack two things: a socket that was just opened sends at once,
//! and an ICMP error that arrived for it wakes its reader.

use nix::sys::socket::{MsgFlags, recv, send as send_now};
use std::{io, os::fd::AsRawFd};
use tokio::{io::Interest, net::UdpSocket};

/// Waits for a datagram or an error.
pub(super) async fn ready(socket: &UdpSocket) -> io::Result<()> {
    socket.ready(Interest::READABLE | Interest::ERROR).await.map(drop)
}

/// Receives a datagram or an error; `WouldBlock` if there is neither.
pub(super) fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<usize> {
    let mut read = || Ok(recv(socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT)?);
    // One after the other: `try_io` with both does nothing.
    match socket.try_io(Interest::READABLE, &mut read) {
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => socket.try_io(Interest::ERROR, read),
        received => received,
    }
}

/// Sends a datagram. One that does not fit into the queue, or into a packet, is lost, as on any network.
pub(super) fn send(socket: &UdpSocket, data: &[u8]) {
    if let Err(error) = send_now(socket.as_raw_fd(), data, MsgFlags::MSG_DONTWAIT) {
        tracing::debug!(%error, "a datagram that leaves the cloud's Internet, or its answer, was lost");
    }
}

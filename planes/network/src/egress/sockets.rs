//! The sockets in the Internet's namespace.

use super::{
    packet::{self, Flow, ICMP, TCP, Unreachable},
    rules::{MARK, PORT},
};
use crate::{Namespace, spec::PUBLIC};
use escale_base::{PlaneError, error::Context as _};
use nix::{
    errno::Errno,
    sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt, sockopt::Ipv4OrigDstAddr},
};
use socket2::{Domain, Protocol, SockAddr, SockFilter, Socket, Type};
use std::{
    io::{self, IoSliceMut},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    os::fd::AsRawFd,
};
use tokio::{
    io::Interest,
    net::{TcpListener, TcpStream, UdpSocket},
};

/// Connections that may wait to be accepted: each of them is accepted at once, since it was announced before.
const BACKLOG: i32 = 1024;

pub(super) struct Sockets {
    internet: Namespace,
    /// Connections whose far end has accepted.
    pub(super) listener: TcpListener,
    /// The first datagram of each UDP flow.
    datagrams: UdpSocket,
    /// The first packet of each connection, and echo requests.
    packets: UdpSocket,
    /// Sends packets back into the namespace's own sockets.
    again: Socket,
    /// Sends packets to the cloud.
    answers: Socket,
}

impl Sockets {
    /// Opens all sockets. Must be called within a tokio runtime.
    pub(super) fn open(internet: Namespace) -> Result<Sockets, PlaneError> {
        let open = || {
            let at = SockAddr::from(SocketAddrV4::new(Ipv4Addr::LOCALHOST, PORT));
            let tcp = transparent(Type::STREAM, Protocol::TCP)?;
            tcp.bind(&at)?;
            tcp.listen(BACKLOG)?;
            let udp = transparent(Type::DGRAM, Protocol::UDP)?;
            setsockopt(&udp, Ipv4OrigDstAddr, &true)?;
            udp.bind(&at)?;
            let again = raw()?;
            again.set_mark(MARK)?;
            Ok((tcp, udp, first_packets()?, again, raw()?))
        };
        let what = || {
            "open sockets for packets that leave the cloud's Internet (this needs CAP_NET_ADMIN and CAP_NET_RAW)".into()
        };
        let (tcp, udp, first, again, answers) = internet.hop(open).machine(what)?;
        Ok(Sockets {
            internet,
            listener: TcpListener::from_std(tcp.into()).machine(what)?,
            datagrams: UdpSocket::from_std(udp.into()).machine(what)?,
            packets: UdpSocket::from_std(first.into()).machine(what)?,
            again,
            answers,
        })
    }

    /// The next packet that begins a connection, or an echo request.
    pub(super) async fn packet(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.packets.recv(buffer).await
    }

    /// The next datagram of a UDP flow that has no socket of its own yet.
    pub(super) async fn datagram(&self, buffer: &mut [u8]) -> io::Result<(Flow, usize)> {
        self.datagrams.async_io(Interest::READABLE, || receive(&self.datagrams, buffer)).await
    }

    /// A socket for one UDP flow: it sends as the far end, and receives what the near end sends there.
    pub(super) fn udp(&self, flow: Flow) -> io::Result<UdpSocket> {
        let open = || {
            let socket = transparent(Type::DGRAM, Protocol::UDP)?;
            socket.bind(&SockAddr::from(flow.far))?;
            socket.connect(&SockAddr::from(flow.near))?;
            Ok(socket)
        };
        UdpSocket::from_std(self.internet.hop(open)?.into())
    }

    /// Delivers a client's SYN to the listener.
    pub(super) fn accept(&self, flow: Flow, syn: &[u8]) -> io::Result<()> {
        let packet = packet::with_checksum(syn).ok_or(io::ErrorKind::InvalidData)?;
        self.again.send_to(&packet, &SockAddr::from(flow.far)).map(drop)
    }

    /// Sends a packet to the cloud.
    pub(super) fn answer(&self, near: Ipv4Addr, packet: &[u8]) {
        // The client asks again when an answer is lost, as on any network.
        if let Err(error) = self.answers.send_to(packet, &SockAddr::from(SocketAddrV4::new(near, 0))) {
            tracing::debug!(%near, %error, "cannot answer a packet that leaves the cloud's Internet");
        }
    }

    pub(super) fn unreachable(&self, near: Ipv4Addr, packet: &[u8], why: Unreachable) {
        if let Some(error) = packet::unreachable(packet, why) {
            self.answer(near, &error);
        }
    }
}

/// A socket that can have any address (`IP_TRANSPARENT`).
fn transparent(kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, kind, Some(protocol))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    socket.set_ip_transparent_v4(true)?;
    Ok(socket)
}

/// A socket that sends whole packets.
fn raw() -> io::Result<Socket> {
    // Of a protocol that is not delivered to raw sockets, so that this one never receives anything.
    const RAW: i32 = 255;
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(RAW)))?;
    socket.set_nonblocking(true)?;
    socket.set_header_included_v4(true)?;
    Ok(socket)
}

/// A packet socket that receives SYNs and echo requests for addresses outside of the cloud, and nothing else.
fn first_packets() -> io::Result<Socket> {
    const IPV4: u16 = 0x0800;
    let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(i32::from(IPV4.to_be()))))?;
    socket.set_nonblocking(true)?;
    socket.attach_filter(&filter())?;
    Ok(socket)
}

/// Classic BPF over an IPv4 packet. The checks that matter are repeated on each packet (`packet::read`); this only keeps the
/// other packets of all connections in the kernel.
fn filter() -> [SockFilter; 21] {
    const LOAD: u16 = 0x20; // 32 bits at an offset
    const LOAD_HALF: u16 = 0x28;
    const LOAD_BYTE: u16 = 0x30;
    const LOAD_BYTE_BEHIND: u16 = 0x50; // relative to the register
    const HEADER_BYTES: u16 = 0xb1; // the length of an IPv4 header into the register
    const EQUAL: u16 = 0x15;
    const ANY_BIT: u16 = 0x45;
    const AND: u16 = 0x54;
    const RETURN: u16 = 0x06;
    /// Offsets of a packet's metadata: SKF_AD_OFF with SKF_AD_PKTTYPE and SKF_AD_MARK.
    const ADDRESSED: u32 = (-0x1000_i32 + 4) as u32;
    const MARKED: u32 = (-0x1000_i32 + 20) as u32;
    let op = SockFilter::new;
    let public = u32::from(PUBLIC.network());
    [
        op(LOAD, 0, 0, ADDRESSED),
        op(EQUAL, 0, 18, 0), // only packets that this namespace receives
        op(LOAD, 0, 0, MARKED),
        op(EQUAL, 16, 0, MARK), // not the SYNs that this process sent again
        op(LOAD, 0, 0, 16),
        op(AND, 0, 0, u32::from(PUBLIC.netmask())),
        op(EQUAL, 13, 0, public),
        op(LOAD_HALF, 0, 0, 6),
        op(ANY_BIT, 11, 0, 0x3fff), // no fragments
        op(HEADER_BYTES, 0, 0, 0),
        op(LOAD_BYTE, 0, 0, 9),
        op(EQUAL, 2, 0, TCP as u32),
        op(EQUAL, 4, 0, ICMP as u32),
        op(RETURN, 0, 0, 0),
        op(LOAD_BYTE_BEHIND, 0, 0, 13),
        op(AND, 0, 0, 0x12),
        op(EQUAL, 2, 3, 0x02),
        op(LOAD_BYTE_BEHIND, 0, 0, 0),
        op(EQUAL, 0, 1, 8),
        op(RETURN, 0, 0, 0xffff),
        op(RETURN, 0, 0, 0),
    ]
}

/// Receives a datagram with the destination that its sender meant.
fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(Flow, usize)> {
    let mut control = nix::cmsg_space!(nix::libc::sockaddr_in);
    let mut into = [IoSliceMut::new(buffer)];
    let got =
        recvmsg::<SockaddrIn>(socket.as_raw_fd(), &mut into, Some(&mut control), MsgFlags::MSG_DONTWAIT);
    let got = got.map_err(|e: Errno| io::Error::from(e))?;
    let far = got.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::Ipv4OrigDstAddr(to) => Some(SocketAddrV4::from(SockaddrIn::from(to))),
        _ => None,
    });
    let near = got.address.map(SocketAddrV4::from);
    let (Some(near), Some(far)) = (near, far) else { return Err(io::ErrorKind::InvalidData.into()) };
    Ok((Flow { near, far }, got.bytes))
}

/// The addresses of an accepted connection. The peer's is that of `accept`: a connection that was reset since has none.
pub(super) fn flow_of(stream: &TcpStream, peer: SocketAddr) -> io::Result<Flow> {
    match (peer, stream.local_addr()?) {
        (SocketAddr::V4(near), SocketAddr::V4(far)) => Ok(Flow { near, far }),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

//! The sockets of servers in the process's own network.

use crate::Sockets;
use async_trait::async_trait;
use escale_base::{PlaneError, error::Context as _};
use std::net::{SocketAddr, TcpListener, UdpSocket};

/// Opens sockets in the process's own network; it has no other place.
pub struct OwnSockets;

#[async_trait]
impl Sockets for OwnSockets {
    async fn open(
        &self,
        place: Option<&str>,
        address: SocketAddr,
    ) -> Result<(UdpSocket, TcpListener), PlaneError> {
        match place {
            None => both(address),
            Some(place) => Err(PlaneError::asked(format!(
                "cannot serve DNS in '{place}': only servers in this process's own network are possible here"
            ))),
        }
    }
}

/// Opens both sockets on one port. With port 0, a port that is free for UDP may be in use for TCP: then another is tried.
fn both(address: SocketAddr) -> Result<(UdpSocket, TcpListener), PlaneError> {
    const TRIES: usize = 16;
    let what = || {
        format!(
            "serve DNS on {address} over UDP and TCP (set ESCALE_DNS_PORT to a free port, or to 0 for any free port)"
        )
    };
    let mut tried = 0;
    loop {
        let udp = UdpSocket::bind(address).machine(what)?;
        let got = udp.local_addr().machine(what)?;
        match TcpListener::bind(got) {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(_) if address.port() == 0 && tried < TRIES => tried += 1,
            Err(error) => return Err(error).machine(what),
        }
    }
}

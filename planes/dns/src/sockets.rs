//! The sockets of servers in the process's own network.

use crate::Sockets;
use async_trait::async_trait;
use escale_base::{PlaneError, error::Context as _};
use escale_sockets::{Keeper, Kept, Transport};
use std::net::{SocketAddr, TcpListener, UdpSocket};

/// Opens sockets in the process's own network; it has no other place.
#[derive(Default)]
pub struct OwnSockets(pub Keeper);

#[async_trait]
impl Sockets for OwnSockets {
    async fn open(
        &self,
        place: Option<&str>,
        address: SocketAddr,
    ) -> Result<(Kept<UdpSocket>, Kept<TcpListener>), PlaneError> {
        match place {
            None => both(&self.0, address),
            Some(place) => Err(PlaneError::asked(format!(
                "cannot serve DNS in '{place}': only servers in this process's own network are possible here"
            ))),
        }
    }
}

/// Opens both sockets on one port. With port 0, a port that is free for UDP may be in use for TCP: then another is tried.
fn both(keeper: &Keeper, address: SocketAddr) -> Result<(Kept<UdpSocket>, Kept<TcpListener>), PlaneError> {
    const TRIES: usize = 16;
    let what = || {
        format!(
            "serve DNS on {address} over UDP and TCP (set ESCALE_DNS_PORT to a free port, or to 0 for any free port)"
        )
    };
    let mut tried = 0;
    loop {
        let udp = keeper.open_here(Transport::Udp, address, || UdpSocket::bind(address)).machine(what)?;
        let got = udp.local_addr().machine(what)?;
        match keeper.open_here(Transport::Tcp, got, || TcpListener::bind(got)) {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(_) if address.port() == 0 && tried < TRIES => tried += 1,
            Err(error) => return Err(error).machine(what),
        }
    }
}

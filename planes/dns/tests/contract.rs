//! The contract of every `Dns`, on the real plane and on the fake; then real packets to the real one.

#![allow(clippy::unwrap_used)]

mod packets;
mod rules;

use escale_dns::*;
use rules::{contract, spec, zone};
use std::net::{TcpListener, UdpSocket};

/// A UDP and a TCP socket on one loopback port.
pub fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) {
            return (udp, tcp);
        }
    }
}

#[tokio::test]
async fn real() {
    contract(&DnsPlane::new()).await;
}

#[tokio::test]
async fn fake() {
    let fake = FakeDns::new();
    contract(&fake).await;
    assert_eq!(fake.applied().len(), 4);
    fake.fail_next(escale_base::PlaneError::machine("no more sockets"));
    assert!(fake.apply(Spec::default()).await.is_err());
    fake.apply(Spec::default()).await.unwrap();
}

//! What leaves the cloud: connections, datagrams and pings to a network around the host.

use crate::{
    outside::{Around, FAR, HOST, Held, METADATA, NO_ROUTE, PRIVATE, SILENT, UNREACHABLE, on_host, open, reopen},
    rig::{ANSWERED, DROPPED, Rig, everybody, route, shop},
};
use escale_network::*;
use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

async fn connect(from: &Namespace, to: (Ipv4Addr, u16)) -> io::Result<TcpStream> {
    timeout(ANSWERED, from.tcp_connect(to.into())).await.unwrap_or_else(|_| panic!("no answer from {to:?}"))
}

async fn kind_of_failure(from: &Namespace, to: (Ipv4Addr, u16)) -> ErrorKind {
    connect(from, to).await.map(|_| panic!("{to:?} accepted")).unwrap_err().kind()
}

async fn is_silent(from: &Namespace, to: (Ipv4Addr, u16)) {
    let tried = timeout(DROPPED, from.tcp_connect(to.into())).await;
    assert!(tried.is_err(), "{to:?} answered: {tried:?}");
}

/// Accepts one connection after the other and returns what arrived, until the end, in upper case.
fn shout(world: &Held, at: (Ipv4Addr, u16)) {
    let listener = world.listen(SocketAddr::from(at));
    tokio::spawn(async move {
        while let Ok((mut stream, peer)) = listener.accept().await {
            assert_eq!(peer.ip(), HOST, "connections come from the host");
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.unwrap();
            all.make_ascii_uppercase();
            stream.write_all(&all).await.unwrap();
        }
    });
}

#[test]
fn connections_and_half_closes_pass_in_both_directions() {
    on_host(async |Around { world, .. }| {
        let rig = Rig::new().await;
        let egress = open(&rig, &[]).await;
        shout(&world, (FAR, 80));
        // Behind the NAT gateway, and with a public address of its own.
        for interface in ["app1", "web"] {
            let mut stream = connect(&rig.at(interface), (FAR, 80)).await.unwrap();
            let sent: Vec<u8> = (0..3_000_000_u32).map(|i| b'a' + (i % 23) as u8).collect();
            stream.write_all(&sent).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut got = Vec::new();
            timeout(ANSWERED, stream.read_to_end(&mut got)).await.unwrap().unwrap();
            assert!(got == sent.to_ascii_uppercase(), "{interface}: {} bytes", got.len());
        }
        assert_eq!(egress.counts(), EgressCounts { connections: 2, ..EgressCounts::default() });
    });
}

#[test]
fn failures_are_those_of_the_far_end() {
    on_host(async |_| {
        let rig = Rig::new().await;
        let egress = open(&rig, &[]).await;
        for interface in ["app1", "web"] {
            let from = rig.at(interface);
            assert_eq!(kind_of_failure(&from, (FAR, 81)).await, ErrorKind::ConnectionRefused);
            assert_eq!(kind_of_failure(&from, (UNREACHABLE, 80)).await, ErrorKind::HostUnreachable);
            assert_eq!(kind_of_failure(&from, (NO_ROUTE, 80)).await, ErrorKind::NetworkUnreachable);
            is_silent(&from, (SILENT, 80)).await;
        }
        assert_eq!(egress.counts().failed, 6);
        assert_eq!(egress.counts().refused, 0);
    });
}

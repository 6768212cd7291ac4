//! What leaves the cloud: connections, datagrams and pings to a network around the host.

use crate::{
    outside::{
        Around, FAR, HOST, Held, METADATA, NO_ROUTE, PRIVATE, SILENT, UNREACHABLE, on_host, open, reopen,
    },
    rig::{ANSWERED, DROPPED, Rig, everybody, is_cut, shop},
};
use escale_network::*;
use std::{
    io::{self, ErrorKind, Read},
    net::{Ipv4Addr, SocketAddr},
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

/// Sends every datagram back.
fn echo_datagrams(world: &Held, at: (Ipv4Addr, u16)) {
    let socket = world.udp(SocketAddr::from(at));
    tokio::spawn(async move {
        let mut buffer = vec![0; 65536];
        while let Ok((size, peer)) = socket.recv_from(&mut buffer).await {
            assert_eq!(peer.ip(), HOST, "datagrams come from the host");
            socket.send_to(&buffer[..size], peer).await.unwrap();
        }
    });
}

/// Sends a datagram and returns the answer.
async fn ask(from: &Namespace, to: (Ipv4Addr, u16), data: &[u8]) -> io::Result<Vec<u8>> {
    let socket = from.udp_bind("0.0.0.0:0".parse().unwrap()).await.unwrap();
    socket.connect(SocketAddr::from(to)).await?;
    socket.send(data).await?;
    let mut buffer = vec![0; 65536];
    let size = timeout(ANSWERED, socket.recv(&mut buffer))
        .await
        .unwrap_or_else(|_| panic!("no answer from {to:?}"))?;
    buffer.truncate(size);
    Ok(buffer)
}

#[test]
fn datagrams_of_any_size_pass_and_closed_ports_are_reported() {
    on_host(async |Around { world, .. }| {
        let rig = Rig::new().await;
        let egress = open(&rig, &[]).await;
        echo_datagrams(&world, (FAR, 53));
        for interface in ["app1", "web"] {
            let from = rig.at(interface);
            for size in [0, 1, 1200, 1473, 9000, 60_000] {
                let data = vec![b'x'; size];
                assert_eq!(ask(&from, (FAR, 53), &data).await.unwrap(), data, "{size} bytes");
            }
            let closed = ask(&from, (FAR, 54), b"?").await.unwrap_err();
            assert_eq!(closed.kind(), ErrorKind::ConnectionRefused);
        }
        assert_eq!(egress.counts().udp_flows, 14);
    });
}

#[test]
fn one_flow_keeps_its_port_at_the_far_end() {
    on_host(async |Around { world, .. }| {
        let rig = Rig::new().await;
        let _egress = open(&rig, &[]).await;
        let far = world.udp(SocketAddr::from((FAR, 4433)));
        let near = rig.at("app1").udp_bind("0.0.0.0:0".parse().unwrap()).await.unwrap();
        let mut peers = Vec::new();
        // Sent at once: the first ones arrive before the flow has sockets of its own.
        for i in 0..50_u8 {
            near.send_to(&[i], SocketAddr::from((FAR, 4433))).await.unwrap();
        }
        for _ in 0..50 {
            let (_, peer) = timeout(ANSWERED, far.recv_from(&mut [0])).await.unwrap().unwrap();
            peers.push(peer);
        }
        peers.dedup();
        assert_eq!(peers.len(), 1);
        far.send_to(b"later", peers[0]).await.unwrap();
        let mut got = [0; 8];
        let (size, from) = timeout(ANSWERED, near.recv_from(&mut got)).await.unwrap().unwrap();
        assert_eq!((&got[..size], from), (&b"later"[..], SocketAddr::from((FAR, 4433))));
    });
}

/// Pings once and returns the sequence number and the data of the reply.
fn ping(from: &Namespace, to: Ipv4Addr, sequence: u8) -> io::Result<(u8, Vec<u8>)> {
    let socket = from.hop(|| {
        let socket = socket2::Socket::new(
            socket2::Domain::IPV4,
            socket2::Type::DGRAM,
            Some(socket2::Protocol::ICMPV4),
        )?;
        socket.set_read_timeout(Some(ANSWERED))?;
        socket.connect(&SocketAddr::from((to, 0)).into())?;
        Ok(socket)
    })?;
    socket.send(&[8, 0, 0, 0, 0, 0, 0, sequence, b'd', b'a', b't', b'a'])?;
    let mut reply = [0; 64];
    let size = (&socket).read(&mut reply)?;
    assert_eq!(reply[0], 0, "an echo reply");
    Ok((reply[7], reply[8..size].to_vec()))
}

#[test]
fn pings_pass_with_either_kind_of_socket() {
    on_host(async |Around { host, .. }| {
        let rig = Rig::new().await;
        let egress = open(&rig, &[]).await;
        // No group may open ping sockets: root opens a raw one. Then every group may.
        for groups in ["1 0", "0 2147483647"] {
            host.hop(|| std::fs::write("/proc/sys/net/ipv4/ping_group_range", groups));
            for (interface, sequence) in [("app1", 1), ("web", 2)] {
                let from = rig.at(interface);
                let reply =
                    tokio::task::spawn_blocking(move || ping(&from, FAR, sequence)).await.unwrap().unwrap();
                assert_eq!(reply, (sequence, b"data".to_vec()), "{interface}, {groups}");
            }
        }
        assert_eq!(egress.counts().echoes, 4);
    });
}

#[test]
fn addresses_of_the_host_and_of_networks_around_it_are_refused_at_once() {
    on_host(async |Around { world, host }| {
        let rig = Rig::new().await;
        let egress = open(&rig, &[]).await;
        // An address that the host gets later, and its network's broadcast address.
        let (new, broadcast) = (Ipv4Addr::new(203, 0, 113, 200), Ipv4Addr::new(203, 0, 113, 255));
        host.ip(&format!("addr add {new}/32 dev eth0"));
        // Servers that must not see any packet.
        let of_host = tokio::net::TcpListener::bind("0.0.0.0:80").await.unwrap();
        let open_ports = [of_host, world.listen(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 80)))];
        for interface in ["app1", "web"] {
            let from = rig.at(interface);
            let (site, home) = (Ipv4Addr::new(172, 16, 0, 1), Ipv4Addr::new(192, 168, 1, 1));
            for address in [HOST, new, broadcast, PRIVATE, METADATA, site, home] {
                assert_eq!(
                    kind_of_failure(&from, (address, 80)).await,
                    ErrorKind::HostUnreachable,
                    "{address}"
                );
                let asked = ask(&from, (address, 53), b"?").await.unwrap_err();
                assert_eq!(asked.kind(), ErrorKind::HostUnreachable, "{address}");
            }
        }
        assert_eq!(
            egress.counts(),
            EgressCounts { refused: egress.counts().refused, ..EgressCounts::default() }
        );
        assert!(egress.counts().refused >= 28);
        for listener in &open_ports {
            assert!(timeout(std::time::Duration::ZERO, listener.accept()).await.is_err());
        }
        drop(open_ports);
        egress.stop().await;

        shout(&world, (PRIVATE, 80));
        let _egress = reopen(&rig, &["10.7.7.0/24"]).await;
        assert!(connect(&rig.at("app1"), (PRIVATE, 80)).await.is_ok());
        assert_eq!(kind_of_failure(&rig.at("app1"), (METADATA, 80)).await, ErrorKind::HostUnreachable);
    });
}

#[test]
fn addresses_that_cannot_be_reached_cannot_be_allowed() {
    for network in ["127.0.0.0/8", "198.18.4.0/24", "224.0.0.0/8", "0.0.0.0/8", "255.255.255.255/32"] {
        let spec = EgressSpec { allowed: [network.parse().unwrap()].into(), connections: 1 };
        let error = spec.check().unwrap_err();
        assert!(error.to_string().contains(network), "{error}");
    }
}

#[test]
fn routes_public_addresses_and_groups_decide_what_leaves() {
    on_host(async |Around { world, .. }| {
        let rig = Rig::new().await;
        let egress = open(&rig, &[]).await;
        shout(&world, (FAR, 80));
        shout(&world, (FAR, 443));
        let (app, web, bare) = (rig.at("app1"), rig.at("web"), rig.at("bare"));
        // In the public subnet, but without a public address.
        is_silent(&bare, (FAR, 80)).await;

        let mut spec = shop();
        let https = Rule { protocol: Protocol::Tcp(Ports::one(443)), peer: everybody() };
        spec.groups.iter_mut().find(|g| g.name == "app").unwrap().egress = vec![https];
        let mut live = connect(&app, (FAR, 80)).await.unwrap();
        rig.network.apply(spec.clone()).await.unwrap();
        is_cut(&mut live).await;
        is_silent(&app, (FAR, 80)).await;
        assert!(connect(&app, (FAR, 443)).await.is_ok());

        // Without the route to the NAT gateway there is no way out; the public subnet keeps its own.
        spec.route_tables.iter_mut().find(|t| t.name == "app").unwrap().routes.clear();
        rig.network.apply(spec.clone()).await.unwrap();
        is_silent(&app, (FAR, 443)).await;
        assert!(connect(&web, (FAR, 443)).await.is_ok());
        assert_eq!(egress.counts().connections, 3);

        egress.stop().await;
        Egress::close(&rig.internet()).await.unwrap();
        Egress::close(&rig.internet()).await.unwrap();
        assert_eq!(kind_of_failure(&web, (FAR, 443)).await, ErrorKind::NetworkUnreachable);
    });
}

#[test]
fn a_reset_of_one_side_resets_the_other() {
    on_host(async |Around { world, .. }| {
        let rig = Rig::new().await;
        let _egress = open(&rig, &[]).await;
        let listener = world.listen(SocketAddr::from((FAR, 80)));
        let mut near = connect(&rig.at("app1"), (FAR, 80)).await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        far.write_all(b"the rest").await.unwrap();
        let mut got = [0; 8];
        near.read_exact(&mut got).await.unwrap();
        far.set_zero_linger().unwrap();
        drop(far);
        let error = timeout(ANSWERED, near.read(&mut got)).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);

        let near = connect(&rig.at("app1"), (FAR, 80)).await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        near.set_zero_linger().unwrap();
        drop(near);
        let error = timeout(ANSWERED, far.read(&mut got)).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_connection_tried_while_no_process_runs_is_made_by_the_next() {
    on_host(async |Around { world, .. }| {
        let rig = Rig::new().await;
        let egress = open(&rig, &[]).await;
        shout(&world, (FAR, 80));
        let mut cut = connect(&rig.at("app1"), (FAR, 80)).await.unwrap();
        egress.stop().await;
        is_cut(&mut cut).await;
        let from = rig.at("app1");
        let trying = tokio::spawn(async move { connect(&from, (FAR, 80)).await });
        tokio::task::yield_now().await;
        let _egress = reopen(&rig, &[]).await;
        assert!(trying.await.unwrap().is_ok());
    });
}

#[test]
fn one_source_cannot_use_up_the_connections() {
    on_host(async |Around { world, .. }| {
        let rig = Rig::new().await;
        let egress = open(&rig, &[]).await;
        let listener = world.listen(SocketAddr::from((FAR, 80)));
        let accepting = tokio::spawn(async move {
            let mut all = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                all.push(stream);
            }
        });
        let (web, app) = (rig.at("web"), rig.at("app1"));
        let mut held = Vec::new();
        for _ in 0..32 {
            held.push(connect(&web, (FAR, 80)).await.unwrap());
        }
        is_silent(&web, (FAR, 80)).await;
        assert!(egress.counts().limited >= 1);
        assert!(connect(&app, (FAR, 80)).await.is_ok(), "another source has places of its own");
        // Places are free again when both sides have closed.
        accepting.abort();
        drop(held);
        let again = async { while timeout(DROPPED, web.tcp_connect((FAR, 80).into())).await.is_err() {} };
        timeout(ANSWERED, again).await.unwrap();
    });
}

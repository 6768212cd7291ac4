//! Which addresses outside of the cloud may be reached.

use ipnet::Ipv4Net;
use std::{
    collections::BTreeSet,
    io,
    net::{Ipv4Addr, UdpSocket},
};

const fn net(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

/// Addresses that no packet can reach from inside, whatever is allowed.
const NEVER: [(Ipv4Net, &str); 5] = [
    (net(0, 0, 0, 0, 8), "no host has such an address"),
    (net(127, 0, 0, 0, 8), "loopback addresses belong to the sender itself"),
    (crate::PUBLIC, "these are the cloud's own public addresses"),
    (net(224, 0, 0, 0, 4), "multicast is not forwarded"),
    (net(240, 0, 0, 0, 4), "reserved and broadcast addresses are not forwarded"),
];

/// Addresses of networks around the host, which its user did not open to the cloud.
const GUARDED: [(Ipv4Net, &str); 5] = [
    (net(10, 0, 0, 0, 8), "a private address (RFC 1918)"),
    (net(172, 16, 0, 0, 12), "a private address (RFC 1918)"),
    (net(192, 168, 0, 0, 16), "a private address (RFC 1918)"),
    // Also 169.254.169.254, from which virtual machines of clouds get credentials.
    (net(169, 254, 0, 0, 16), "a link-local address"),
    (net(100, 64, 0, 0, 10), "an address of a carrier's or overlay network (RFC 6598)"),
];

/// Why a network cannot be allowed; `None` when it can.
pub(super) fn cannot_be_allowed(network: Ipv4Net) -> Option<&'static str> {
    NEVER.iter().find(|(never, _)| never.contains(&network)).map(|(_, why)| *why)
}

/// Why an address must not be reached; `None` when it may be. A question to the host's routes, which sends no packet.
pub(super) fn refusal(to: Ipv4Addr, allowed: &BTreeSet<Ipv4Net>) -> Option<&'static str> {
    if let Some((_, why)) = NEVER.iter().find(|(net, _)| net.contains(&to)) {
        return Some(why);
    }
    if allowed.iter().any(|net| net.contains(&to)) {
        return None;
    }
    let guarded = GUARDED.iter().find(|(net, _)| net.contains(&to)).map(|(_, why)| *why);
    guarded
        .or_else(|| leads_to_the_host(to).then_some("an address of the host itself, or a broadcast address"))
}

/// Whether the host itself would receive a packet to this address. A connected UDP socket has the source address that the
/// kernel chose, and for its own addresses the kernel chooses the destination.
fn leads_to_the_host(to: Ipv4Addr) -> bool {
    const ANY_PORT: u16 = 9;
    let source = || -> io::Result<Ipv4Addr> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect((to, ANY_PORT))?;
        match socket.local_addr()?.ip() {
            std::net::IpAddr::V4(source) => Ok(source),
            std::net::IpAddr::V6(_) => Err(io::ErrorKind::InvalidData.into()),
        }
    };
    match source() {
        Ok(source) => source == to || source.is_loopback(),
        // Without a route the connection fails, too, and reports it better.
        Err(e) => !matches!(e.kind(), io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_private_and_local_addresses_unless_allowed() {
        let none = BTreeSet::new();
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "169.254.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "198.18.0.9",
            "198.19.255.255",
            "224.0.0.251",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
        ] {
            assert!(refusal(address.parse().unwrap(), &none).is_some(), "{address}");
        }
        for address in [
            "9.255.255.255",
            "11.0.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "100.128.0.1",
        ] {
            assert_eq!(refusal(address.parse().unwrap(), &none), None, "{address}");
        }
        let allowed = BTreeSet::from(["10.1.0.0/16".parse().unwrap(), "169.254.169.254/32".parse().unwrap()]);
        for (address, may) in
            [("10.1.2.3", true), ("10.2.0.1", false), ("169.254.169.254", true), ("169.254.169.253", false)]
        {
            assert_eq!(refusal(address.parse().unwrap(), &allowed).is_none(), may, "{address}");
        }
    }

    #[test]
    fn everything_allowed_is_still_nothing_that_cannot_be_reached() {
        let all = BTreeSet::from([Ipv4Net::default()]);
        for address in ["127.0.0.1", "198.18.0.9", "224.0.0.1", "255.255.255.255", "0.0.0.0"] {
            assert!(refusal(address.parse().unwrap(), &all).is_some(), "{address}");
        }
        assert_eq!(refusal("10.0.0.1".parse().unwrap(), &all), None);
        let no = |net: &str| cannot_be_allowed(net.parse().unwrap()).is_some();
        assert!(no("127.0.0.1/32") && no("198.18.0.0/16") && no("255.255.255.255/32"));
        assert!(!no("0.0.0.0/0") && !no("10.0.0.0/8"));
    }
}

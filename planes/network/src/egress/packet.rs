//! Reads the IPv4 packets that begin a connection or an echo, and builds the answers. Pure.

use std::net::{Ipv4Addr, SocketAddrV4};

pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;

/// The length of a header without options.
const IP_BYTES: usize = 20;
const TCP_BYTES: usize = 20;
const ICMP_BYTES: usize = 8;
/// The bytes behind the header of a packet that an ICMP error repeats. RFC 792 asks for 8; connection tracking reads a whole
/// TCP header.
const REPEATED_BYTES: usize = 20;

/// A connection or an exchange of datagrams. Near is inside the cloud, far is outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Flow {
    pub(super) near: SocketAddrV4,
    pub(super) far: SocketAddrV4,
}

/// A packet that this module understands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    Syn { flow: Flow, sequence: u32, payload: usize },
    Echo { near: Ipv4Addr, far: Ipv4Addr, id: u16, sequence: u16, data: &'a [u8] },
}

/// Reads a packet. `None` for any other kind of packet, for fragments, and for packets whose lengths disagree.
pub(super) fn read(bytes: &[u8]) -> Option<Packet<'_>> {
    let (head, body) = split(bytes)?;
    let (near, far) = (address(head, 12)?, address(head, 16)?);
    match *head.get(9)? {
        TCP => {
            let offset = usize::from(body.get(12)? >> 4) * 4;
            let flags = body.get(13)?;
            let is_syn = flags & 0x12 == 0x02;
            let payload = body.len().checked_sub(offset.max(TCP_BYTES)).filter(|_| is_syn)?;
            let flow = Flow {
                near: SocketAddrV4::new(near, number(body, 0)?),
                far: SocketAddrV4::new(far, number(body, 2)?),
            };
            let sequence = u32::from(number(body, 4)?) << 16 | u32::from(number(body, 6)?);
            Some(Packet::Syn { flow, sequence, payload })
        }
        ICMP => {
            let is_echo = body.first_chunk() == Some(&[8, 0]);
            let data = body.get(ICMP_BYTES..).filter(|_| is_echo)?;
            Some(Packet::Echo { near, far, id: number(body, 4)?, sequence: number(body, 6)?, data })
        }
        _ => None,
    }
}

/// The identifier, the sequence number and the data of an ICMP echo reply.
pub(super) fn read_echo_reply(icmp: &[u8]) -> Option<(u16, u16, &[u8])> {
    let is_reply = icmp.first_chunk() == Some(&[0, 0]);
    Some((number(icmp, 4)?, number(icmp, 6)?, icmp.get(ICMP_BYTES..).filter(|_| is_reply)?))
}

/// The part behind the header of an IPv4 packet.
pub(super) fn body(bytes: &[u8]) -> Option<&[u8]> {
    split(bytes).map(|(_, body)| body)
}

/// The same packet with a correct TCP checksum: the kernel leaves it to network cards that these links do not have.
pub(super) fn with_checksum(bytes: &[u8]) -> Option<Vec<u8>> {
    let (head, body) = split(bytes)?;
    let mut packet = [head, body].concat();
    let (near, far) = (address(head, 12)?, address(head, 16)?);
    let segment = packet.get_mut(head.len()..)?;
    segment.get_mut(16..18)?.fill(0);
    let sum = transport_checksum(near, far, TCP, segment);
    segment.get_mut(16..18)?.copy_from_slice(&sum.to_be_bytes());
    Some(packet)
}

/// The far end's answer to a SYN for a closed port (RFC 9293 section 3.10.7.1).
pub(super) fn reset(flow: Flow, sequence: u32, payload: usize) -> Vec<u8> {
    let next = sequence.wrapping_add(1).wrapping_add(payload as u32);
    let mut segment = [0; TCP_BYTES];
    segment[..2].copy_from_slice(&flow.far.port().to_be_bytes());
    segment[2..4].copy_from_slice(&flow.near.port().to_be_bytes());
    segment[8..12].copy_from_slice(&next.to_be_bytes());
    segment[12] = ((TCP_BYTES / 4) as u8) << 4;
    segment[13] = 0x14; // RST, ACK
    let sum = transport_checksum(*flow.far.ip(), *flow.near.ip(), TCP, &segment);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    datagram(*flow.far.ip(), *flow.near.ip(), TCP, &segment)
}

/// Why a packet did not arrive, as an ICMP "destination unreachable" (RFC 1812 section 5.2.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreachable {
    Network = 0,
    Host = 1,
    Port = 3,
    Prohibited = 13,
}

/// The ICMP error for a packet. The far end is its source: connection tracking matches the packet that is repeated inside.
pub(super) fn unreachable(packet: &[u8], why: Unreachable) -> Option<Vec<u8>> {
    let (head, body) = split(packet)?;
    let (near, far) = (address(head, 12)?, address(head, 16)?);
    let repeated = body.get(..REPEATED_BYTES.min(body.len()))?;
    let mut icmp = [&[3, why as u8, 0, 0, 0, 0, 0, 0], head, repeated].concat();
    let sum = checksum(0, &icmp);
    icmp[2..4].copy_from_slice(&sum.to_be_bytes());
    Some(datagram(far, near, ICMP, &icmp))
}

/// As [`fn@unreachable`], for a UDP flow of which no packet was kept.
pub(super) fn flow_unreachable(flow: Flow, why: Unreachable) -> Option<Vec<u8>> {
    unreachable(&udp_header(flow), why)
}

/// A datagram of a flow without its data: an ICMP error repeats no more of it.
pub(super) fn udp_header(flow: Flow) -> Vec<u8> {
    let mut udp = [0; 8];
    udp[..2].copy_from_slice(&flow.near.port().to_be_bytes());
    udp[2..4].copy_from_slice(&flow.far.port().to_be_bytes());
    udp[5] = 8; // the length, of the header alone
    datagram(*flow.near.ip(), *flow.far.ip(), UDP, &udp)
}

/// An echo request for the far end, without an IP header.
pub(super) fn echo_request(id: u16, sequence: u16, data: &[u8]) -> Vec<u8> {
    echo(8, id, sequence, data)
}

/// The far end's reply, with the identifier of the client.
pub(super) fn echo_reply(near: Ipv4Addr, far: Ipv4Addr, id: u16, sequence: u16, data: &[u8]) -> Vec<u8> {
    datagram(far, near, ICMP, &echo(0, id, sequence, data))
}

fn echo(kind: u8, id: u16, sequence: u16, data: &[u8]) -> Vec<u8> {
    let [id, sequence] = [id, sequence].map(u16::to_be_bytes);
    let mut icmp = [&[kind, 0, 0, 0], &id[..], &sequence, data].concat();
    let sum = checksum(0, &icmp);
    icmp[2..4].copy_from_slice(&sum.to_be_bytes());
    icmp
}

/// The header and the body of an IPv4 packet that is complete and not a fragment.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let first = *bytes.first()?;
    let head = usize::from(first & 0x0f) * 4;
    let total = usize::from(number(bytes, 2)?);
    let is_fragment = number(bytes, 6)? & 0x3fff != 0;
    if first >> 4 != 4 || head < IP_BYTES || total < head || total > bytes.len() || is_fragment {
        return None;
    }
    Some(bytes[..total].split_at(head))
}

fn address(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    let octets: &[u8; 4] = bytes.get(at..)?.first_chunk()?;
    Some(Ipv4Addr::from(*octets))
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|b| u16::from_be_bytes(*b))
}

fn datagram(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, body: &[u8]) -> Vec<u8> {
    let mut head = [0; IP_BYTES];
    head[0] = 0x45;
    // The kernel also sets the length, the checksum and the identification of raw packets (raw(7)).
    head[2..4].copy_from_slice(&((IP_BYTES + body.len()) as u16).to_be_bytes());
    head[8] = 64;
    head[9] = protocol;
    head[12..16].copy_from_slice(&from.octets());
    head[16..20].copy_from_slice(&to.octets());
    let sum = checksum(0, &head);
    head[10..12].copy_from_slice(&sum.to_be_bytes());
    [&head, body].concat()
}

fn transport_checksum(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, segment: &[u8]) -> u16 {
    let pseudo = [from.octets(), to.octets()].concat();
    checksum(sum(0, &pseudo) + u32::from(protocol) + segment.len() as u32, segment)
}

/// RFC 1071.
fn checksum(start: u32, bytes: &[u8]) -> u16 {
    let mut total = sum(start, bytes);
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    !(total as u16)
}

fn sum(start: u32, bytes: &[u8]) -> u32 {
    let pair = |c: &[u8]| u32::from(c[0]) << 8 | u32::from(c.get(1).copied().unwrap_or(0));
    bytes.chunks(2).map(pair).sum::<u32>() + start
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng, rngs::StdRng};

    fn flow() -> Flow {
        Flow { near: "198.18.1.5:40000".parse().unwrap(), far: "203.0.113.9:443".parse().unwrap() }
    }

    fn syn() -> Vec<u8> {
        let mut segment = vec![0; TCP_BYTES];
        segment[..2].copy_from_slice(&40000_u16.to_be_bytes());
        segment[2..4].copy_from_slice(&443_u16.to_be_bytes());
        segment[4..8].copy_from_slice(&0xffff_ffff_u32.to_be_bytes());
        segment[12] = 0x50;
        segment[13] = 0x02;
        datagram(*flow().near.ip(), *flow().far.ip(), TCP, &segment)
    }

    /// A correct packet sums up to zero.
    fn is_correct(packet: &[u8]) -> bool {
        let (head, body) = split(packet).unwrap();
        let (from, to) = (address(head, 12).unwrap(), address(head, 16).unwrap());
        let inner =
            if head[9] == ICMP { checksum(0, body) } else { transport_checksum(from, to, head[9], body) };
        checksum(0, head) == 0 && inner == 0
    }

    #[test]
    fn reads_the_first_packet_of_a_connection_only() {
        let read_flags = |flags: u8| {
            let mut packet = syn();
            packet[IP_BYTES + 13] = flags;
            read(&packet).is_some()
        };
        assert_eq!(read(&syn()), Some(Packet::Syn { flow: flow(), sequence: u32::MAX, payload: 0 }));
        assert!(read_flags(0xc2), "with ECN");
        assert!(!read_flags(0x12) && !read_flags(0x10) && !read_flags(0x04));
    }

    #[test]
    fn refuses_packets_that_are_cut_or_fragments() {
        let packet = syn();
        for length in 0..packet.len() {
            assert_eq!(read(&packet[..length]), None, "{length}");
        }
        for fragment in [0x2000_u16, 0x0001, 0x2001] {
            let mut packet = syn();
            packet[6..8].copy_from_slice(&fragment.to_be_bytes());
            assert_eq!(read(&packet), None);
        }
        for (at, value) in [(0, 0x65), (0, 0x44), (3, 19), (2, 0xff), (IP_BYTES + 12, 0xf0)] {
            let mut packet = syn();
            packet[at] = value;
            assert_eq!(read(&packet), None, "{at} {value}");
        }
    }

    #[test]
    fn answers_have_correct_checksums_and_belong_to_their_packet() {
        let packet = with_checksum(&syn()).unwrap();
        assert!(is_correct(&packet));
        let refused = reset(flow(), u32::MAX, 3);
        assert!(is_correct(&refused));
        assert_eq!(refused[IP_BYTES + 8..IP_BYTES + 12], 3_u32.to_be_bytes(), "acknowledges SYN and payload");
        for why in [Unreachable::Network, Unreachable::Host, Unreachable::Port, Unreachable::Prohibited] {
            let error = unreachable(&packet, why).unwrap();
            assert!(is_correct(&error));
            assert_eq!(error[IP_BYTES..IP_BYTES + 2], [3, why as u8]);
            assert_eq!(error[IP_BYTES + 8..], packet[..]);
        }
        assert!(is_correct(&flow_unreachable(flow(), Unreachable::Port).unwrap()));
        let (near, far) = (*flow().near.ip(), *flow().far.ip());
        let reply = echo_reply(near, far, 7, 9, b"odd");
        assert!(is_correct(&reply));
        assert_eq!(read_echo_reply(body(&reply).unwrap()), Some((7, 9, &b"odd"[..])));
        let request = datagram(near, far, ICMP, &echo_request(7, 9, b"x"));
        assert_eq!(read(&request), Some(Packet::Echo { near, far, id: 7, sequence: 9, data: b"x" }));
    }

    #[test]
    fn any_bytes_are_read_without_panic() {
        let mut dice = StdRng::seed_from_u64(41);
        for _ in 0..20_000 {
            let mut packet = syn();
            packet.resize(dice.random_range(0..80), 0);
            for _ in 0..dice.random_range(0..8) {
                let at = dice.random_range(0..80);
                if let Some(byte) = packet.get_mut(at) {
                    *byte = dice.random();
                }
            }
            let _ = (read(&packet), with_checksum(&packet), unreachable(&packet, Unreachable::Host));
            let _ = (read_echo_reply(&packet), body(&packet));
        }
    }
}

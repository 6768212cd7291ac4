//! Changes the elements of the firewall's sets and maps without starting `nft`, which takes longer than all else that a new interface
//! needs. Anything but new elements remains with `nft` (`ruleset.rs`).
//!
//! Speaks nftables' netlink protocol: one batch, which the kernel applies as one transaction.
//! See `include/uapi/linux/netfilter/nf_tables.h` of the kernel.

use crate::{namespace::Namespace, ruleset::NewElements};
use escale_base::{PlaneError, error::Context as _};
use nix::sys::{
    socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, sendto,
        setsockopt, socket, sockopt,
    },
    time::{TimeVal, TimeValLike as _},
};
use std::{
    io,
    net::Ipv4Addr,
    os::fd::{AsRawFd, OwnedFd},
};

const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
/// The subsystem of nftables, 10, and its message for new elements, 12.
const NEW_ELEMENTS: u16 = 10 << 8 | 12;
const SUBSYSTEM: u16 = 10;
const NLMSG_ERROR: u16 = 2;

const REQUEST: u16 = 1;
const ACK: u16 = 4;
const CREATE: u16 = 0x400;

const AF_UNSPEC: u8 = 0;
/// The family `ip` of tables.
const NFPROTO_IPV4: u8 = 2;

const NESTED: u16 = 0x8000;
const TABLE: u16 = 1;
const SET: u16 = 2;
const ELEMENTS: u16 = 3;
const ELEMENT: u16 = 1;
const KEY: u16 = 1;
const DATA: u16 = 2;
const VALUE: u16 = 1;
const VERDICT: u16 = 2;
const CODE: u16 = 1;
const CHAIN: u16 = 2;

const JUMP: i32 = -3;
const RETURN: i32 = -5;

/// An interface's name fills this many bytes.
const NAME_BYTES: usize = 16;

/// The kernel answers at once; without an answer for this long, it will not.
const ANSWER_SECS: i64 = 10;

/// Adds all elements, or none.
pub(crate) fn add(router: &Namespace, table: &str, new: &[NewElements<'_>]) -> Result<(), PlaneError> {
    let what = || format!("add elements to the firewall of {}", router.path().display());
    let mut batch = Vec::new();
    edge(&mut batch, BATCH_BEGIN);
    for (n, elements) in new.iter().enumerate() {
        let sequence = u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
        let encoded = list(table, elements).ok_or("an element has an unknown form").plane(what)?;
        message(&mut batch, NEW_ELEMENTS, REQUEST | ACK | CREATE, (sequence, NFPROTO_IPV4, 0), &encoded);
    }
    edge(&mut batch, BATCH_END);
    let socket = router.hop(open).machine(what)?;
    exchange(&socket, &batch, new.len()).machine(what)
}

fn open() -> io::Result<OwnedFd> {
    let netfilter = SockProtocol::NetlinkNetFilter;
    let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, netfilter)?;
    setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::seconds(ANSWER_SECS))?;
    bind(fd.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
    Ok(fd)
}

/// Sends the batch and waits for an acknowledgement of each of its messages.
fn exchange(socket: &OwnedFd, batch: &[u8], mut unanswered: usize) -> io::Result<()> {
    let kernel = NetlinkAddr::new(0, 0);
    sendto(socket.as_raw_fd(), batch, &kernel, MsgFlags::empty())?;
    let mut buffer = vec![0; 64 * 1024];
    while unanswered > 0 {
        let size = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        let mut rest = &buffer[..size];
        while let Some((kind, payload, next)) = read(rest) {
            rest = next;
            if kind != NLMSG_ERROR {
                continue;
            }
            match payload.first_chunk::<4>().map(|code| i32::from_ne_bytes(*code)) {
                Some(0) => unanswered = unanswered.saturating_sub(1),
                Some(code) => return Err(io::Error::from_raw_os_error(-code)),
                None => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }
    Ok(())
}

/// The type and payload of the first message, and what follows it.
fn read(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
    let kind = u16::from_ne_bytes([*bytes.get(4)?, *bytes.get(5)?]);
    let payload = bytes.get(16..length)?;
    Some((kind, payload, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// The begin or the end of a batch.
fn edge(batch: &mut Vec<u8>, kind: u16) {
    message(batch, kind, REQUEST, (0, AF_UNSPEC, SUBSYSTEM), &[]);
}

fn message(
    batch: &mut Vec<u8>,
    kind: u16,
    flags: u16,
    (sequence, family, resource): (u32, u8, u16),
    payload: &[u8],
) {
    let length = u32::try_from(16 + 4 + payload.len()).unwrap_or(u32::MAX);
    batch.extend(length.to_ne_bytes());
    batch.extend(kind.to_ne_bytes());
    batch.extend(flags.to_ne_bytes());
    batch.extend(sequence.to_ne_bytes());
    batch.extend([0; 4]);
    batch.extend([family, 0]);
    batch.extend(resource.to_be_bytes());
    batch.extend(payload);
}

/// `None` if an element is not of the set's type.
fn list(table: &str, new: &NewElements<'_>) -> Option<Vec<u8>> {
    let (keys, values) = match new.of.split_once(" : ") {
        Some((keys, values)) => (keys, Some(values)),
        None => (new.of, None),
    };
    let mut elements = Vec::new();
    for (key, value) in &new.elements {
        let mut element = attribute(KEY | NESTED, &attribute(VALUE, &bytes(keys, key)?));
        if let Some(kind) = values {
            element.extend(attribute(DATA | NESTED, &data(kind, value.as_ref()?)?));
        }
        elements.extend(attribute(ELEMENT | NESTED, &element));
    }
    let mut all = attribute(TABLE, &text(table));
    all.extend(attribute(SET, &text(new.name)));
    all.extend(attribute(ELEMENTS | NESTED, &elements));
    Some(all)
}

fn data(kind: &str, value: &str) -> Option<Vec<u8>> {
    if kind != "verdict" {
        return Some(attribute(VALUE, &bytes(kind, value)?));
    }
    let (code, chain) = match value.split_once(' ') {
        Some(("jump", chain)) => (JUMP, Some(chain)),
        None if value == "return" => (RETURN, None),
        _ => return None,
    };
    let mut verdict = attribute(CODE, &code.to_be_bytes());
    if let Some(chain) = chain {
        verdict.extend(attribute(CHAIN, &text(chain)));
    }
    Some(attribute(VERDICT | NESTED, &verdict))
}

/// A value in the kernel's form.
fn bytes(kind: &str, value: &str) -> Option<Vec<u8>> {
    match kind {
        "ipv4_addr" => value.parse::<Ipv4Addr>().ok().map(|address| address.octets().to_vec()),
        "ifname" => {
            let mut name = value.strip_prefix('"')?.strip_suffix('"')?.as_bytes().to_vec();
            (name.len() < NAME_BYTES).then(|| {
                name.resize(NAME_BYTES, 0);
                name
            })
        }
        "mark" => {
            let mark = u32::from_str_radix(value.strip_prefix("0x")?, 16).ok()?;
            Some(mark.to_ne_bytes().to_vec())
        }
        _ => None,
    }
}

fn text(value: &str) -> Vec<u8> {
    let mut bytes = value.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + payload.len()).unwrap_or(u16::MAX);
    let mut all = Vec::with_capacity(usize::from(length).next_multiple_of(4));
    all.extend(length.to_ne_bytes());
    all.extend(kind.to_ne_bytes());
    all.extend(payload);
    all.resize(all.len().next_multiple_of(4), 0);
    all
}

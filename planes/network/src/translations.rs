//! What passed an interface that translates addresses, as its own namespace counts it.
//!
//! Packets and bytes are counted by rules of the firewall table there ([`count`]), connections by the kernel's connection
//! tracking.

use crate::{
    namespace::Namespace,
    ruleset::{Chain, Ruleset},
};
use escale_base::{PlaneError, error::Context as _};
use ipnet::Ipv4Net;
use std::{collections::BTreeMap, fs, io};

/// Packets and their bytes, headers included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    pub packets: u64,
    pub bytes: u64,
}

/// What was counted since the interface was made, or since its table was last replaced: at the daemon's start and at changes of
/// the interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Translations {
    /// Received from inside the network.
    pub in_from_source: Traffic,
    /// The part of it that was sent on.
    pub out_to_destination: Traffic,
    /// Answers that were received.
    pub in_from_destination: Traffic,
    /// The part of them that was sent back to the source.
    pub out_to_source: Traffic,
    /// TCP connections that a source tried to open, and those that were accepted: packets with SYN alone, and with SYN and ACK.
    pub attempts: u64,
    pub established: u64,
    /// TCP connections that have not ended. `None` on a kernel that does not list them.
    pub active: Option<u64>,
    /// Connections for which no port was free. `None` on a kernel that does not count them.
    pub without_port: Option<u64>,
}

const IN_FROM_SOURCE: &str = "in_from_source";
const OUT_TO_DESTINATION: &str = "out_to_destination";
const IN_FROM_DESTINATION: &str = "in_from_destination";
const OUT_TO_SOURCE: &str = "out_to_source";
const ATTEMPTS: &str = "attempts";
const ESTABLISHED: &str = "established";

/// Adds chains that count what comes from the network `cidr`, and the answers. Packets are received after connection tracking,
/// which knows their direction, and sent after the last chain that can drop them. Each counter is the only rule of a chain, so
/// that it is found by the chain's name.
pub(crate) fn count(set: &mut Ruleset, cidr: Ipv4Net) {
    let jump = |condition: &str, name: &str| format!("{condition} jump {name}");
    let (original, reply) = (&format!("ip saddr {cidr} ct direction original"), "ct direction reply");
    let received = vec![
        jump(original, IN_FROM_SOURCE),
        jump(reply, IN_FROM_DESTINATION),
        jump(&format!("{original} tcp flags & (syn | ack) == syn"), ATTEMPTS),
        jump(&format!("{reply} tcp flags & (syn | ack) == (syn | ack)"), ESTABLISHED),
    ];
    let sent = vec![jump("ct direction original", OUT_TO_DESTINATION), jump(reply, OUT_TO_SOURCE)];
    let hooked = [
        ("received", "type filter hook prerouting priority -150; policy accept;", received),
        ("sent", "type filter hook postrouting priority 300; policy accept;", sent),
    ];
    for (name, hook, rules) in hooked {
        set.chains.insert(name.into(), Chain { hook: Some(hook), rules });
    }
    for name in
        [IN_FROM_SOURCE, OUT_TO_DESTINATION, IN_FROM_DESTINATION, OUT_TO_SOURCE, ATTEMPTS, ESTABLISHED]
    {
        set.chains.insert(name.into(), Chain { hook: None, rules: vec!["counter".into()] });
    }
}

pub(crate) async fn read(inside: &Namespace) -> Result<Translations, PlaneError> {
    let what = || format!("read the counters in {}", inside.path().display());
    let listed = inside.run("nft", &["list", "table", "ip", "net"], String::new()).await?.good(what)?;
    let counts = counters(&listed);
    let of = |name| counts.get(name).copied().unwrap_or_default();
    let namespace = inside.clone();
    let tracked = tokio::task::spawn_blocking(move || {
        // Of the thread: the process is not in the namespace.
        let read = |path| namespace.hop(|| found(fs::read_to_string(path)));
        Ok::<_, io::Error>((
            read("/proc/thread-self/net/nf_conntrack")?,
            read("/proc/thread-self/net/stat/nf_conntrack")?,
        ))
    });
    let (connections, statistics) = tracked.await.plane(what)?.machine(what)?;
    Ok(Translations {
        in_from_source: of(IN_FROM_SOURCE),
        out_to_destination: of(OUT_TO_DESTINATION),
        in_from_destination: of(IN_FROM_DESTINATION),
        out_to_source: of(OUT_TO_SOURCE),
        attempts: of(ATTEMPTS).packets,
        established: of(ESTABLISHED).packets,
        active: connections.map(|text| active(&text)),
        without_port: statistics.and_then(|text| not_inserted(&text)),
    })
}

fn found(read: io::Result<String>) -> io::Result<Option<String>> {
    match read {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// The counters by the chain that they are in.
fn counters(listed: &str) -> BTreeMap<&str, Traffic> {
    let (mut chain, mut all) = ("", BTreeMap::new());
    for line in listed.lines().map(str::trim) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["chain", name, ..] => chain = name,
            ["counter", "packets", packets, "bytes", bytes] => {
                let number = |text: &str| text.parse().unwrap_or(0);
                all.insert(chain, Traffic { packets: number(packets), bytes: number(bytes) });
            }
            _ => {}
        }
    }
    all
}

/// The TCP connections of a tracking table that have not ended.
fn active(table: &str) -> u64 {
    let is_active = |line: &&str| {
        let mut words = line.split_whitespace().skip(2);
        words.next() == Some("tcp") && !matches!(words.nth(2), Some("TIME_WAIT" | "CLOSE"))
    };
    table.lines().filter(is_active).count() as u64
}

/// The sum over all processors of what could not be added to the tracking table: its translated addresses and ports were those of
/// another connection. The kernel drops such a packet after it has found no free port.
fn not_inserted(statistics: &str) -> Option<u64> {
    let mut lines = statistics.lines();
    let column = lines.next()?.split_whitespace().position(|name| name == "insert_failed")?;
    let one = |line: &str| u64::from_str_radix(line.split_whitespace().nth(column)?, 16).ok();
    Some(lines.filter_map(one).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_counters_and_connections() {
        let listed = "table ip net {\n\tchain received {\n\t\ttype filter hook prerouting priority -150; policy accept;\n\t\tct direction original jump in_from_source\n\t}\n\n\tchain in_from_source {\n\t\tcounter packets 3 bytes 180\n\t}\n}\n";
        assert_eq!(counters(listed), BTreeMap::from([(IN_FROM_SOURCE, Traffic { packets: 3, bytes: 180 })]));
        let table = "ipv4     2 tcp      6 431999 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2\n\
                     ipv4     2 tcp      6 100 TIME_WAIT src=10.0.0.1 dst=10.0.0.2 sport=3 dport=2\n\
                     ipv4     2 udp      17 20 src=10.0.0.1 dst=10.0.0.2 sport=4 dport=53\n";
        assert_eq!(active(table), 1);
        let statistics = "entries  found  insert insert_failed drop\n00000001 00000000 00000000 0000000a 00000000\n00000001 00000000 00000000 00000001 00000000\n";
        assert_eq!((not_inserted(statistics), not_inserted("entries found\n")), (Some(11), None));
    }
}

//! Counts the packets of chosen interfaces, by flow and by whether the firewall let them pass.
//!
//! The kernel counts, in a table of its own that exists only while an interface is counted: no packet is copied, and none is
//! missed. Four points count: `sent` and `passed` before and after the chains of the packet's sender, `arriving` and `received`
//! before and after those of its receiver. What the first point of a pair counted and the second did not was rejected. The
//! firewall's own chains do not change.

use crate::{FlowCount, Flows, namespace::Namespace};
use escale_base::{PlaneError, error::Context as _};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    net::Ipv4Addr,
};

/// Removes the table, whether it exists or not.
pub(crate) const REMOVE: &str = "add table ip flows\ndelete table ip flows\n";

/// Flows that each set can hold: enough for what one machine's applications do between two reads, and a bound for a scan of ports.
const FLOWS: usize = 16_384;

/// Each point, and the interface whose packets it counts.
const POINTS: [(&str, &str); 4] =
    [("sent", "iif"), ("passed", "iif"), ("arriving", "oif"), ("received", "oif")];

/// The points before the chains of sender and receiver.
const BEFORE: [&str; 2] = ["sent", "arriving"];

/// The sets of a point. nft supports at most five parts of a key, so each protocol with ports has a set of its own.
const KINDS: [&str; 3] = ["tcp", "udp", "other"];

const TCP: u8 = 6;
const UDP: u8 = 17;

/// The counting of one network.
pub(crate) struct Counting {
    /// The addresses of the counted interfaces, which name their links.
    links: BTreeSet<Ipv4Addr>,
    /// Interfaces that were removed since the last read, by link.
    removed: BTreeMap<u32, String>,
    /// Which of two sets is in use.
    generation: u8,
    /// Packets that a second point counted before the first one did, since both cannot be switched at once.
    ahead: BTreeMap<Key, Tally>,
    /// What an earlier daemon counted.
    earlier: Vec<FlowCount>,
}

/// A flow at an interface.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    interface: String,
    outbound: bool,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    ports: (u16, u16),
}

/// Signed: a difference of two counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    packets: i64,
    bytes: i64,
}

impl Tally {
    fn add(&mut self, other: Tally, sign: i64) {
        self.packets += sign * other.packets;
        self.bytes += sign * other.bytes;
    }
}

impl Counting {
    /// Begins to count. `earlier` is what an earlier daemon counted ([`recover`]).
    pub(crate) async fn start(
        router: &Namespace,
        links: BTreeSet<Ipv4Addr>,
        earlier: Vec<FlowCount>,
    ) -> Result<Counting, PlaneError> {
        let mut script = format!("{REMOVE}add table ip flows\nadd set ip flows counted {{ type ifname; }}\n");
        for (point, _) in POINTS {
            let _ = writeln!(script, "add chain ip flows {point}");
        }
        // The priorities are around those of the firewall's chains.
        for (chain, priority, rules) in [
            ("before", -20, &["iifname @counted jump sent"][..]),
            ("between", 2, &["iifname @counted jump passed", "oifname @counted jump arriving"]),
            ("after", 20, &["oifname @counted jump received"]),
        ] {
            let _ = writeln!(
                script,
                "add chain ip flows {chain} {{ type filter hook forward priority {priority}; policy accept; }}"
            );
            for rule in rules {
                let _ = writeln!(script, "add rule ip flows {chain} {rule}");
            }
        }
        add_sets(&mut script, 0);
        POINTS.iter().for_each(|(point, _)| use_sets(&mut script, point, 0));
        elements(&mut script, "add", &links);
        run(router, script).await?;
        let (removed, ahead) = Default::default();
        Ok(Counting { links, removed, generation: 0, ahead, earlier })
    }

    /// Counts exactly these interfaces.
    pub(crate) async fn change(
        &mut self,
        router: &Namespace,
        links: BTreeSet<Ipv4Addr>,
    ) -> Result<(), PlaneError> {
        let mut script = String::new();
        elements(&mut script, "delete", &self.links - &links);
        elements(&mut script, "add", &links - &self.links);
        if !script.is_empty() {
            run(router, script).await?;
        }
        self.links = links;
        Ok(())
    }

    /// A removed interface's link has a number only, no name.
    pub(crate) fn removed(&mut self, link: u32, interface: &str) {
        self.removed.insert(link, interface.to_owned());
    }

    /// Reads the counts and begins new ones. `names` are the interfaces by address.
    pub(crate) async fn take(
        &mut self,
        router: &Namespace,
        names: &BTreeMap<Ipv4Addr, &str>,
    ) -> Result<Flows, PlaneError> {
        let (old, new) = (self.generation, 1 - self.generation);
        // The first points are switched before the second ones, in two transactions: a packet that is on its way between two
        // points is then counted as ahead, and never as rejected.
        let mut script = String::new();
        add_sets(&mut script, new);
        BEFORE.iter().for_each(|point| use_sets(&mut script, point, new));
        run(router, script).await?;
        let mut script = String::new();
        let second = POINTS.iter().filter(|(point, _)| !BEFORE.contains(point));
        second.for_each(|(point, _)| use_sets(&mut script, point, new));
        run(router, script).await?;
        self.generation = new;

        let is_old = |set: &Set| set.name.ends_with(&format!("_{old}"));
        let sets: Vec<Set> = list(router).await?.unwrap_or_default().into_iter().filter(is_old).collect();
        let mut script = String::new();
        for (point, kind) in POINTS.iter().flat_map(|(point, _)| KINDS.map(|kind| (point, kind))) {
            let _ = writeln!(script, "delete set ip flows {point}_{kind}_{old}");
        }
        run(router, script).await?;

        let skipped = sets.iter().any(|set| set.elem.len() >= FLOWS);
        let removed = std::mem::take(&mut self.removed);
        let mut counts = std::mem::take(&mut self.earlier);
        counts.extend(settle(&sets, |link| name_of(link, names, &removed), &mut self.ahead));
        Ok(Flows { counts, skipped })
    }
}

/// What an earlier daemon counted and did not read.
pub(crate) async fn recover(
    router: &Namespace,
    names: &BTreeMap<Ipv4Addr, &str>,
) -> Result<Vec<FlowCount>, PlaneError> {
    let sets = list(router).await?.unwrap_or_default();
    Ok(settle(&sets, |link| name_of(link, names, &BTreeMap::new()), &mut BTreeMap::new()))
}

/// The interface of a link. nft prints a link's name, which is an address, or its number if it was removed.
fn name_of(link: &Word, names: &BTreeMap<Ipv4Addr, &str>, removed: &BTreeMap<u32, String>) -> Option<String> {
    let Word::Text(link) = link else { return None };
    match link.parse() {
        Ok(address) => names.get(&address).map(|name| (*name).to_owned()),
        Err(_) => removed.get(&link.parse().ok()?).cloned(),
    }
}

/// Stops counting.
pub(crate) async fn remove(router: &Namespace) -> Result<(), PlaneError> {
    run(router, REMOVE.into()).await
}

fn add_sets(script: &mut String, generation: u8) {
    for (point, kind) in POINTS.iter().flat_map(|(point, _)| KINDS.map(|kind| (point, kind))) {
        let parts = if kind == "other" { "inet_proto" } else { "inet_service . inet_service" };
        let _ = writeln!(
            script,
            "add set ip flows {point}_{kind}_{generation} {{ type iface_index . ipv4_addr . ipv4_addr . {parts}; flags dynamic; counter; size {FLOWS}; }}"
        );
    }
}

/// Makes a point count into the sets of a generation.
fn use_sets(script: &mut String, point: &str, generation: u8) {
    let side = POINTS.iter().find(|(name, _)| *name == point).map_or("iif", |(_, side)| side);
    let _ = writeln!(script, "flush chain ip flows {point}");
    for kind in KINDS {
        let (which, parts) = match kind {
            "other" => ("!= { tcp, udp }".to_owned(), "meta l4proto".to_owned()),
            _ => (kind.to_owned(), format!("{kind} sport . {kind} dport")),
        };
        let _ = writeln!(
            script,
            "add rule ip flows {point} meta l4proto {which} update @{point}_{kind}_{generation} {{ {side} . ip saddr . ip daddr . {parts} }}"
        );
    }
}

fn elements(script: &mut String, verb: &str, links: impl std::borrow::Borrow<BTreeSet<Ipv4Addr>>) {
    let links: Vec<String> = links.borrow().iter().map(|link| format!("\"{link}\"")).collect();
    if !links.is_empty() {
        let _ = writeln!(script, "{verb} element ip flows counted {{ {} }}", links.join(", "));
    }
}

async fn run(router: &Namespace, script: String) -> Result<(), PlaneError> {
    let what = || format!("count packets in {}", router.path().display());
    router.run("nft", &["-f", "-"], script).await?.good(what).map(drop)
}

/// All sets of the table; `None` without the table.
async fn list(router: &Namespace) -> Result<Option<Vec<Set>>, PlaneError> {
    let what = || format!("read the counted packets of {}", router.path().display());
    let ran = router.run("nft", &["-j", "-n", "list", "table", "ip", "flows"], String::new()).await?;
    if !ran.success && ran.errors.contains("No such file or directory") {
        return Ok(None);
    }
    let listing: Listing = serde_json::from_str(&ran.good(what)?).plane(what)?;
    Ok(Some(listing.nftables.into_iter().filter_map(|object| object.set).collect()))
}

/// The output of `nft -j`, reduced to the sets.
#[derive(Deserialize)]
struct Listing {
    nftables: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    set: Option<Set>,
}

#[derive(Debug, Deserialize)]
struct Set {
    name: String,
    #[serde(default)]
    elem: Vec<Element>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Element {
    Counted { elem: Counted },
    Other(serde::de::IgnoredAny),
}

#[derive(Debug, Deserialize)]
struct Counted {
    val: Parts,
    counter: Counter,
}

#[derive(Debug, Deserialize)]
struct Parts {
    concat: Vec<Word>,
}

#[derive(Debug, Deserialize)]
struct Counter {
    packets: i64,
    bytes: i64,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Word {
    Number(u64),
    Text(String),
}

/// The accepted and rejected packets of all flows. `ahead` is what the second points counted too early, of the last read and of this
/// one.
fn settle(
    sets: &[Set],
    name: impl Fn(&Word) -> Option<String>,
    ahead: &mut BTreeMap<Key, Tally>,
) -> Vec<FlowCount> {
    let mut accepted: BTreeMap<Key, Tally> = BTreeMap::new();
    let mut balance = std::mem::take(ahead);
    for set in sets {
        let mut parts = set.name.split('_');
        let (Some(point), Some(kind)) = (parts.next(), parts.next()) else { continue };
        for element in &set.elem {
            let Element::Counted { elem } = element else { continue };
            let Some(key) = key(&elem.val.concat, (point, kind), &name) else { continue };
            let tally = Tally { packets: elem.counter.packets, bytes: elem.counter.bytes };
            if BEFORE.contains(&point) {
                balance.entry(key).or_default().add(tally, 1);
            } else {
                accepted.entry(key.clone()).or_default().add(tally, 1);
                balance.entry(key).or_default().add(tally, -1);
            }
        }
    }
    let mut counts: Vec<FlowCount> = accepted.iter().map(|(key, tally)| count(key, *tally, true)).collect();
    for (key, tally) in balance {
        match tally.packets {
            0 => {}
            1.. => counts.push(count(&key, tally, false)),
            _ => drop(ahead.insert(key, tally)),
        }
    }
    counts.sort();
    counts
}

fn count(key: &Key, tally: Tally, accepted: bool) -> FlowCount {
    FlowCount {
        interface: key.interface.clone(),
        outbound: key.outbound,
        accepted,
        source: key.source,
        destination: key.destination,
        protocol: key.protocol,
        source_port: key.ports.0,
        destination_port: key.ports.1,
        packets: u64::try_from(tally.packets).unwrap_or(0),
        bytes: u64::try_from(tally.bytes).unwrap_or(0),
    }
}

/// `None` for a link that is no interface of the network any more, and for an element of another form.
fn key(words: &[Word], (point, kind): (&str, &str), name: impl Fn(&Word) -> Option<String>) -> Option<Key> {
    let [link, source, destination, rest @ ..] = words else { return None };
    let address = |word: &Word| if let Word::Text(text) = word { text.parse().ok() } else { None };
    let number = |word: &Word| if let Word::Number(n) = word { u16::try_from(*n).ok() } else { None };
    let (protocol, ports) = match (kind, rest) {
        ("tcp", [from, to]) => (TCP, (number(from)?, number(to)?)),
        ("udp", [from, to]) => (UDP, (number(from)?, number(to)?)),
        ("other", [protocol]) => (protocol_number(protocol)?, (0, 0)),
        _ => return None,
    };
    Some(Key {
        interface: name(link)?,
        outbound: point == "sent" || point == "passed",
        source: address(source)?,
        destination: address(destination)?,
        protocol,
        ports,
    })
}

/// nft prints the names of the protocols that it knows.
fn protocol_number(word: &Word) -> Option<u8> {
    const NAMES: [(&str, u8); 7] = [
        ("icmp", 1),
        ("ipv6-icmp", 58),
        ("esp", 50),
        ("ah", 51),
        ("comp", 108),
        ("udplite", 136),
        ("sctp", 132),
    ];
    match word {
        Word::Number(number) => u8::try_from(*number).ok(),
        Word::Text(text) => text
            .parse()
            .ok()
            .or_else(|| NAMES.iter().find(|(name, _)| name == text).map(|(_, number)| *number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    /// Each line is a set and its elements: `sent_tcp_0 link source destination … packets bytes`.
    fn sets(lines: &[&str]) -> Vec<Set> {
        let read = |line: &&str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let value = |word: &str| word.parse::<u64>().map_or_else(|_| serde_json::json!(word), Into::into);
            let (concat, counted) = words[1..].split_at(words.len() - 3);
            // The first is text, also a number.
            let link = serde_json::json!(concat[0]);
            let concat: Vec<_> =
                [link].into_iter().chain(concat[1..].iter().map(|word| value(word))).collect();
            let counter = serde_json::json!({"packets": value(counted[0]), "bytes": value(counted[1])});
            let element = serde_json::json!({"elem": {"val": {"concat": concat}, "counter": counter}});
            serde_json::from_value(serde_json::json!({"name": words[0], "elem": [element]})).expect("a set")
        };
        lines.iter().map(read).collect()
    }

    fn check(ahead: &mut BTreeMap<Key, Tally>, lines: &[&str], expected: Expect) {
        let names = [4, 5].map(|n| (Ipv4Addr::new(10, 0, 0, n), format!("at-10.0.0.{n}")));
        let names = names.iter().map(|(address, name)| (*address, name.as_str())).collect();
        let removed = BTreeMap::from([(7, "removed".to_owned())]);
        let counts = settle(&sets(lines), |link| name_of(link, &names, &removed), ahead);
        let shown = counts.iter().map(|c| {
            let way = if c.outbound { "out" } else { "in" };
            let verdict = if c.accepted { "accepted" } else { "rejected" };
            format!(
                "{} {way} {verdict} {}:{} {}:{} {} {}/{}\n",
                c.interface,
                c.source,
                c.source_port,
                c.destination,
                c.destination_port,
                c.protocol,
                c.packets,
                c.bytes
            )
        });
        expected.assert_eq(&shown.collect::<String>());
    }

    #[test]
    fn rejected_packets_are_those_that_the_second_point_did_not_count() {
        check(
            &mut BTreeMap::new(),
            &[
                "sent_tcp_0 10.0.0.4 10.0.0.4 10.0.0.5 40000 80 5 500",
                "passed_tcp_0 10.0.0.4 10.0.0.4 10.0.0.5 40000 80 5 500",
                "arriving_tcp_0 10.0.0.5 10.0.0.4 10.0.0.5 40000 80 5 500",
                "received_tcp_0 10.0.0.5 10.0.0.4 10.0.0.5 40000 80 3 300",
                "sent_udp_0 7 10.0.0.9 10.0.0.5 53 53 1 60",
                "sent_other_0 10.0.0.4 10.0.0.4 10.0.0.5 icmp 2 168",
                "sent_tcp_0 8 10.0.0.9 10.0.0.5 1 1 1 60",
            ],
            expect![[r#"
                at-10.0.0.4 out rejected 10.0.0.4:0 10.0.0.5:0 1 2/168
                at-10.0.0.4 out accepted 10.0.0.4:40000 10.0.0.5:80 6 5/500
                at-10.0.0.5 in rejected 10.0.0.4:40000 10.0.0.5:80 6 2/200
                at-10.0.0.5 in accepted 10.0.0.4:40000 10.0.0.5:80 6 3/300
                removed out rejected 10.0.0.9:53 10.0.0.5:53 17 1/60
            "#]],
        );
    }

    #[test]
    fn a_packet_between_two_points_during_the_switch_is_not_rejected() {
        let mut ahead = BTreeMap::new();
        check(
            &mut ahead,
            &[
                "sent_tcp_0 10.0.0.4 10.0.0.4 10.0.0.5 1 2 4 40",
                "passed_tcp_0 10.0.0.4 10.0.0.4 10.0.0.5 1 2 5 50",
            ],
            expect![["at-10.0.0.4 out accepted 10.0.0.4:1 10.0.0.5:2 6 5/50\n"]],
        );
        check(
            &mut ahead,
            &[
                "sent_tcp_1 10.0.0.4 10.0.0.4 10.0.0.5 1 2 3 30",
                "passed_tcp_1 10.0.0.4 10.0.0.4 10.0.0.5 1 2 2 20",
            ],
            expect![["at-10.0.0.4 out accepted 10.0.0.4:1 10.0.0.5:2 6 2/20\n"]],
        );
        assert!(ahead.is_empty());
    }
}

//! The rules in the Internet's namespace that deliver packets for addresses outside to this process's sockets.
//!
//! `tproxy` delivers packets for foreign addresses to a local socket without changing them, so a socket's own address is the
//! address that the sender meant. A SYN without the mark is dropped: [`super::tcp`] sees it on a packet socket, connects to
//! the far end, and sends the SYN once more with the mark if that succeeded.

use crate::{
    Namespace,
    netlink::{KernelRoute, Netlink, Via},
    ruleset::{Chain, Ruleset, TABLE},
    spec::PUBLIC,
};
use escale_base::PlaneError;
use ipnet::Ipv4Net;

/// Selects packets that a socket of this process receives, whatever their destination. The number also is the routing table's.
pub(super) const MARK: u32 = 0x2000_0001;

/// The port of the sockets for new flows, on the loopback device of a namespace in which nothing else listens there.
pub(super) const PORT: u16 = 1;

/// Sets the rules and routes; a repetition changes nothing.
pub(super) async fn set(internet: &Namespace) -> Result<(), PlaneError> {
    let netlink = Netlink::open(internet)?;
    // The rule first and removed last: while there is any part of the others, `is_set` finds it.
    if !is_set(&netlink).await? {
        netlink.add_marked_table(MARK).await?;
    }
    netlink.put_route(&to_this_process()).await?;
    run(internet, ruleset().script(None).script).await
}

/// Removes the rules and routes of [`set`], if there are any.
pub(super) async fn clear(internet: &Namespace) -> Result<(), PlaneError> {
    let netlink = Netlink::open(internet)?;
    if !is_set(&netlink).await? {
        return Ok(());
    }
    // `delete` fails for a table that does not exist, so it is added first.
    run(internet, format!("add table {TABLE}\ndelete table {TABLE}\n")).await?;
    netlink.put_route(&to_this_process()).await?;
    netlink.delete_route(&to_this_process()).await?;
    netlink.delete_marked_table(MARK).await
}

async fn is_set(netlink: &Netlink) -> Result<bool, PlaneError> {
    Ok(netlink.marked_tables().await?.contains(&MARK))
}

async fn run(internet: &Namespace, script: String) -> Result<(), PlaneError> {
    let what = || {
        "set the rules for packets that leave the cloud's Internet, which need the kernel module nft_tproxy"
            .into()
    };
    internet.run("nft", &["-f", "-"], script).await?.good(what).map(drop)
}

fn to_this_process() -> KernelRoute {
    KernelRoute { table: MARK, destination: Ipv4Net::default(), via: Via::Local }
}

/// The table of the Internet's namespace.
pub(crate) fn ruleset() -> Ruleset {
    let rules = vec![
        // The cloud's own: public addresses, the links to routers, endpoints.
        format!("ip daddr {{ {PUBLIC}, 169.254.255.0/24, 100.64.0.0/10, 127.0.0.0/8 }} accept"),
        // Only what has a public address gets out: endpoints for public services do not lead outside.
        format!("ip saddr != {PUBLIC} drop"),
        format!("meta mark != {MARK:#x} tcp flags & (syn | ack) == syn drop"),
        format!("meta l4proto {{ tcp, udp }} tproxy to 127.0.0.1:{PORT} meta mark set {MARK:#x} accept"),
        // ICMP echo is read from the packet socket as well; no other protocol is forwarded.
        "drop".into(),
    ];
    let hook = Some("type filter hook prerouting priority mangle; policy accept;");
    Ruleset { chains: [("egress".into(), Chain { hook, rules })].into(), ..Ruleset::default() }
}

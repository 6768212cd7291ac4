//! Opens TCP connections from the cloud's Internet to every port of an address. The connections are packets: routes, security groups
//! and network ACLs decide about them as about those of any visitor.

use crate::home::Home;
use anyhow::{Context, Result, bail};
use escale_network::{Namespace, Namespaces, Place};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    time::Duration,
};
use tokio::task::JoinSet;

/// A port that drops packets is given up after this time. Packets travel within this machine.
const WITHIN: Duration = Duration::from_millis(500);

/// The same for ports that must answer: a busy machine is no closed port.
const PATIENTLY: Duration = Duration::from_secs(5);

/// Connections that are opened at the same time.
const AT_ONCE: usize = 8192;

/// The ports that answer at each address. `expected` are tried again with more time.
pub(super) async fn probe(
    home: &Home,
    targets: &BTreeMap<String, BTreeSet<u16>>,
    ports: &RangeInclusive<u16>,
) -> Result<BTreeMap<String, BTreeSet<u16>>> {
    if !nix::unistd::geteuid().is_root() {
        bail!(
            "the probe enters the cloud's network, which needs root. Run this command as root, for example with sudo"
        );
    }
    let internet = Namespaces::of(&home.plane("network"))
        .open(&Place::Internet)
        .context("the cloud's Internet does not exist yet: no VPC has been created")?;
    let at_once = descriptors()?;
    let mut found = BTreeMap::new();
    for (address, expected) in targets {
        let ip: Ipv4Addr = address.parse().with_context(|| format!("{address} is not an IPv4 address"))?;
        let all: Vec<u16> = ports.clone().collect();
        let mut open = BTreeSet::new();
        for chunk in all.chunks(at_once) {
            open.extend(answering(&internet, ip, chunk, WITHIN).await);
        }
        let missing: Vec<u16> =
            expected.iter().copied().filter(|p| ports.contains(p) && !open.contains(p)).collect();
        open.extend(answering(&internet, ip, &missing, PATIENTLY).await);
        found.insert(address.clone(), open);
    }
    Ok(found)
}

async fn answering(internet: &Namespace, ip: Ipv4Addr, ports: &[u16], within: Duration) -> Vec<u16> {
    let mut connecting = JoinSet::new();
    for port in ports.iter().copied() {
        let internet = internet.clone();
        connecting.spawn(async move {
            let to = SocketAddr::from((ip, port));
            let connected = tokio::time::timeout(within, internet.tcp_connect(to)).await;
            matches!(connected, Ok(Ok(_))).then_some(port)
        });
    }
    connecting.join_all().await.into_iter().flatten().collect()
}

/// Raises the limit of file descriptors, and returns how many connections fit.
fn descriptors() -> Result<usize> {
    const SPARE: u64 = 64;
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    let wanted = (AT_ONCE as u64 + SPARE).min(most);
    if limit.current.is_some_and(|current| current < wanted) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum })
            .context("cannot raise the limit of open files")?;
    }
    Ok(usize::try_from(wanted.saturating_sub(SPARE)).unwrap_or(AT_ONCE).max(1))
}

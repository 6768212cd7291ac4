//! The Internet: a namespace with public addresses, to which each network's router may have links.
//!
//! All routers have the same address on their links (169.254.255.1) and so has the Internet (169.254.255.2):
//! routes name the link, so links need no numbering. No state is kept here; every question goes to the kernel.

use crate::{
    check,
    firewall::{ENDPOINT_LINK, INTERNET_LINK},
    namespace::Namespace,
    netlink::{ETH0, KernelRoute, LOOPBACK, Link, MAIN_TABLE, Netlink, Peer, Via, leading_to},
    spec::*,
};
use escale_base::{PlaneError, error::Context as _};
use ipnet::Ipv4Net;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

/// The router's end of a link to the Internet, and the Internet's end.
pub(crate) const ROUTER_END: Ipv4Addr = Ipv4Addr::new(169, 254, 255, 1);
pub(crate) const INTERNET_END: Ipv4Addr = Ipv4Addr::new(169, 254, 255, 2);

/// A network that calls a public service through an endpoint has the source address `100.64.0.0 + slot + 1`.
const ENDPOINTS: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10);

pub(crate) struct Internet {
    namespace: Namespace,
    netlink: Netlink,
    hosts: PathBuf,
}

/// A router's two outside links, by number; `None` for a link that does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Uplinks {
    pub(crate) internet: Option<Uplink>,
    pub(crate) endpoint: Option<Uplink>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Uplink {
    /// The link's number in the router.
    pub(crate) here: u32,
    /// The number of its peer, on the Internet.
    pub(crate) there: u32,
}

impl Internet {
    /// Opens the namespace under `root`, or creates it.
    pub(crate) async fn open(root: &Path) -> Result<Internet, PlaneError> {
        let path = root.join("internet");
        let found = Namespace::open(&path)?;
        let fresh = found.is_none();
        let namespace = found.map_or_else(|| Namespace::create(&path), Ok)?;
        let netlink = Netlink::open(&namespace)?;
        // A pinned namespace is complete: it was pinned after its setup.
        if fresh {
            namespace.set(&[
                ("ipv4/ip_forward", "1"),
                ("ipv4/conf/all/rp_filter", "0"),
                ("ipv4/conf/default/rp_filter", "0"),
                ("ipv4/conf/all/send_redirects", "0"),
                ("ipv4/conf/default/send_redirects", "0"),
            ])?;
            netlink.up(LOOPBACK).await?;
            // Sockets without an explicit source address use the first one.
            for address in [VISITOR, INTERNET_END] {
                netlink.add_address(LOOPBACK, address, 32).await?;
            }
            namespace.pin()?;
        }
        Ok(Internet { namespace, netlink, hosts: root.join("hosts") })
    }

    /// Makes hosts and service addresses match the spec.
    pub(crate) async fn apply(&self, spec: &InternetSpec) -> Result<(), PlaneError> {
        check::internet(spec)?;
        let routed = self.routed().await?;
        let links = self.netlink.links().await?;
        for address in spec.service_addresses.iter().chain(spec.hosts.iter().map(|h| &h.address)) {
            // A host's own link carries its address as the name; any other route to it belongs to a network.
            let own = links.get(&address.to_string()).map(|l| l.index);
            if routed.get(address).is_some_and(|link| Some(*link) != own) {
                return Err(PlaneError::asked(format!(
                    "the Internet: {address} is the public address of an interface"
                )));
            }
        }
        self.apply_hosts(spec, &links).await?;
        let current = self.service_addresses().await?;
        for gone in current.difference(&spec.service_addresses) {
            self.netlink.delete_address(LOOPBACK, *gone).await?;
        }
        for new in spec.service_addresses.difference(&current) {
            self.netlink.add_address(LOOPBACK, *new, 32).await?;
        }
        Ok(())
    }

    async fn apply_hosts(
        &self,
        spec: &InternetSpec,
        links: &BTreeMap<String, Link>,
    ) -> Result<(), PlaneError> {
        let mut current = BTreeSet::new();
        for name in pinned(&self.hosts)? {
            let path = self.hosts.join(&name);
            let found = match Namespace::open(&path)? {
                Some(namespace) => leading_to(&namespace, links).await?,
                None => None,
            };
            let desired = spec.hosts.iter().find(|h| h.name == name);
            // A host with the right address is kept, with the processes inside; any other is removed and created again.
            if desired.is_some_and(|h| found.as_ref().is_some_and(|(address, _)| *address == h.address)) {
                current.insert(name);
                continue;
            }
            if let Some((_, link)) = found {
                self.netlink.delete_link(link.index).await?;
            }
            Namespace::unpin(&path)?;
        }
        for host in spec.hosts.iter().filter(|h| !current.contains(&h.name)) {
            self.add_host(host).await?;
        }
        Ok(())
    }

    async fn add_host(&self, host: &InternetHost) -> Result<(), PlaneError> {
        let namespace = Namespace::create(&self.hosts.join(&host.name))?;
        let peer = Peer { name: "eth0", namespace: &namespace, index: Some(ETH0) };
        let link = self.netlink.add_pair(&host.address.to_string(), peer).await?;
        let inside = Netlink::open(&namespace)?;
        inside.up(LOOPBACK).await?;
        inside.add_address(ETH0, host.address, 32).await?;
        inside.up(ETH0).await?;
        inside.put_route(&default_route(MAIN_TABLE, Via::Gateway(ETH0, INTERNET_END))).await?;
        self.netlink.put_route(&host_route(host.address, Via::Link(link))).await?;
        namespace.pin()
    }

    /// The outside links that a router has now.
    pub(crate) fn uplinks(links: &BTreeMap<String, Link>) -> Uplinks {
        let find = |name| {
            let link: &Link = links.get(name)?;
            Some(Uplink { here: link.index, there: link.peer? })
        };
        Uplinks { internet: find(INTERNET_LINK), endpoint: find(ENDPOINT_LINK) }
    }

    /// Links a router to the Internet (`INTERNET_LINK`) or to public services alone (`ENDPOINT_LINK`).
    pub(crate) async fn attach(
        &self,
        router: &Namespace,
        netlink: &Netlink,
        name: &'static str,
        sibling: Option<Uplink>,
    ) -> Result<Uplink, PlaneError> {
        let slot = self.slot(sibling).await?;
        let is_endpoint = name == ENDPOINT_LINK;
        let far = format!("{}{slot}", if is_endpoint { 'e' } else { 'i' });
        let peer = Peer { name: &far, namespace: &self.namespace, index: None };
        let here = netlink.add_pair(name, peer).await?;
        let there = self.netlink.index(&far).await?;
        self.netlink.up(there).await?;
        for (setting, value) in [("proxy_arp", "0"), ("rp_filter", "0")] {
            router.set(&[(&format!("ipv4/conf/{name}/{setting}"), value)])?;
        }
        // Endpoint traffic is translated to the link's own address, to which the Internet has a route.
        let address = if is_endpoint { nth(ENDPOINTS, slot + 1) } else { ROUTER_END };
        netlink.add_address(here, address, 32).await?;
        if is_endpoint {
            self.netlink.put_route(&host_route(address, Via::Link(there))).await?;
        }
        Ok(Uplink { here, there })
    }

    /// The number of a network: that of its other link, or the lowest free one.
    async fn slot(&self, sibling: Option<Uplink>) -> Result<u32, PlaneError> {
        let links = self.netlink.links().await?;
        let slots =
            links.iter().filter_map(|(name, link)| Some((name[1..].parse::<u32>().ok()?, link.index)));
        let slots: Vec<(u32, u32)> = slots.collect();
        let own = sibling.and_then(|s| slots.iter().find(|(_, index)| *index == s.there));
        let free = || (0..).find(|n| slots.iter().all(|(taken, _)| taken != n));
        own.map(|(slot, _)| *slot).or_else(free).ok_or("none is free").plane(|| "number a network".into())
    }

    /// Routes exactly these public addresses to a router's link.
    pub(crate) async fn route_public(
        &self,
        link: u32,
        addresses: &BTreeSet<Ipv4Addr>,
    ) -> Result<(), PlaneError> {
        let routed = self.routed().await?;
        let services = self.service_addresses().await?;
        // All addresses are checked before any route changes, so that a refused request changes nothing.
        for address in addresses {
            if services.contains(address) || routed.get(address).is_some_and(|other| *other != link) {
                return Err(PlaneError::asked(format!(
                    "the public address {address} is already held by another network, host or service"
                )));
            }
        }
        for (address, _) in routed.iter().filter(|(a, l)| **l == link && !addresses.contains(*a)) {
            self.netlink.delete_route(&host_route(*address, Via::Gateway(link, ROUTER_END))).await?;
        }
        for address in addresses.iter().filter(|a| !routed.contains_key(*a)) {
            self.netlink.put_route(&host_route(*address, Via::Gateway(link, ROUTER_END))).await?;
        }
        Ok(())
    }

    /// The public addresses that are routed to a link.
    async fn routed(&self) -> Result<BTreeMap<Ipv4Addr, u32>, PlaneError> {
        let all = self.netlink.routes().await?;
        let public =
            all.iter().filter(|r| r.destination.prefix_len() == 32 && PUBLIC.contains(&r.destination));
        Ok(public.filter_map(|r| Some((r.destination.network(), r.link()?))).collect())
    }

    async fn service_addresses(&self) -> Result<BTreeSet<Ipv4Addr>, PlaneError> {
        let all = self.netlink.addresses(LOOPBACK).await?;
        Ok(all.into_iter().filter(|a| PUBLIC.contains(a) && *a != VISITOR).collect())
    }
}

pub(crate) fn default_route(table: u32, via: Via) -> KernelRoute {
    KernelRoute { table, destination: Ipv4Net::default(), via }
}

pub(crate) fn host_route(address: Ipv4Addr, via: Via) -> KernelRoute {
    KernelRoute { table: MAIN_TABLE, destination: Ipv4Net::from(address), via }
}

/// The names pinned in a directory; none when the directory does not exist.
pub(crate) fn pinned(dir: &Path) -> Result<Vec<String>, PlaneError> {
    let list = || match fs::read_dir(dir) {
        Ok(entries) => entries.map(|e| Ok(e?.file_name().to_string_lossy().into_owned())).collect(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e),
    };
    list().machine(|| format!("list {}", dir.display()))
}

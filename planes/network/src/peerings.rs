//! Peerings: between the routers of two networks is a namespace that forwards, to which each of them has a link.
//!
//! So each network is applied by itself, in any order, and no router has a link in another router. The namespace forwards
//! to the ranges of the networks that are attached; the rules of both routers decide which packets reach it. No state is
//! kept here; every question goes to the kernel.

use crate::{
    firewall::table_id,
    internet::{INTERNET_END, ROUTER_END, default_route, pinned},
    namespace::Namespace,
    netlink::{KernelRoute, LOOPBACK, Link, MAIN_TABLE, Netlink, Peer, Via},
    spec::{Peering, VpcSpec},
};
use escale_base::PlaneError;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// How the names of all these links begin in a router.
pub(crate) const PEERING_LINKS: &str = "peer-";

/// How the names of their other ends begin.
const FAR_LINKS: &str = "net-";

/// The name of a peering's link in a router: a hash, since the kernel's names are short.
pub(crate) fn link_name(peering: &str) -> String {
    format!("{PEERING_LINKS}{:08x}", table_id(peering))
}

/// A peering's link in a router.
pub(crate) struct PeeringLink {
    pub(crate) link: u32,
    /// Not known after a restart: an interrupted apply may have left it without addresses and routes.
    complete: bool,
}

/// The links to peerings among those of a router.
pub(crate) fn existing(links: &BTreeMap<String, Link>) -> BTreeMap<String, PeeringLink> {
    let own = links.iter().filter(|(name, _)| name.starts_with(PEERING_LINKS));
    own.map(|(name, link)| (name.clone(), PeeringLink { link: link.index, complete: false })).collect()
}

pub(crate) struct Peerings {
    dir: PathBuf,
}

impl Peerings {
    pub(crate) fn of(root: &Path) -> Peerings {
        Peerings { dir: root.join("peerings") }
    }

    /// Makes the links of a router, by their names, match its specification; returns those that were deleted.
    pub(crate) async fn apply(
        &self,
        spec: &VpcSpec,
        router: &Namespace,
        netlink: &Netlink,
        links: &mut BTreeMap<String, PeeringLink>,
    ) -> Result<BTreeSet<u32>, PlaneError> {
        let desired: BTreeMap<String, &Peering> =
            spec.peerings.iter().map(|p| (link_name(&p.name), p)).collect();
        let gone: Vec<String> = links.keys().filter(|name| !desired.contains_key(*name)).cloned().collect();
        let mut deleted = BTreeSet::new();
        for existing in gone.iter().filter_map(|name| links.remove(name)) {
            netlink.delete_link(existing.link).await?;
            deleted.insert(existing.link);
        }
        if !deleted.is_empty() {
            self.remove_unused().await?;
        }
        for (name, peering) in desired {
            let existing = links.get(&name);
            if existing.is_some_and(|e| e.complete) {
                continue;
            }
            let link = self.attach(spec, peering, router, netlink, existing.map(|e| e.link)).await?;
            links.insert(name, PeeringLink { link, complete: true });
        }
        Ok(deleted)
    }

    /// Links a router to a peering; returns the link's number in the router. `existing` is a link of an earlier process, whose
    /// setup is completed.
    async fn attach(
        &self,
        spec: &VpcSpec,
        peering: &Peering,
        router: &Namespace,
        netlink: &Netlink,
        existing: Option<u32>,
    ) -> Result<u32, PlaneError> {
        let between = self.open(&peering.name).await?;
        let inside = Netlink::open(&between)?;
        let (name, far) = (link_name(&peering.name), format!("{FAR_LINKS}{:08x}", table_id(&spec.name)));
        let here = match existing {
            Some(link) => link,
            None => netlink.add_pair(&name, Peer { name: &far, namespace: &between, index: None }).await?,
        };
        for (setting, value) in [("proxy_arp", "0"), ("rp_filter", "0")] {
            router.set(&[(&format!("ipv4/conf/{name}/{setting}"), value)])?;
        }
        if !netlink.addresses(here).await?.contains(&ROUTER_END) {
            netlink.add_address(here, ROUTER_END, 32).await?;
        }
        let there = inside.index(&far).await?;
        inside.up(there).await?;
        let via = Via::Gateway(there, ROUTER_END);
        inside.put_route(&KernelRoute { table: MAIN_TABLE, destination: spec.cidr, via }).await?;
        Ok(here)
    }

    /// The namespace of a peering; created if it does not exist.
    async fn open(&self, peering: &str) -> Result<Namespace, PlaneError> {
        let path = self.dir.join(peering);
        if let Some(existing) = Namespace::open(&path)? {
            return Ok(existing);
        }
        let namespace = Namespace::create(&path)?;
        namespace.set(&[
            ("ipv4/ip_forward", "1"),
            ("ipv4/conf/all/rp_filter", "0"),
            ("ipv4/conf/default/rp_filter", "0"),
            ("ipv4/conf/all/send_redirects", "0"),
            ("ipv4/conf/default/send_redirects", "0"),
        ])?;
        let netlink = Netlink::open(&namespace)?;
        netlink.up(LOOPBACK).await?;
        netlink.add_address(LOOPBACK, INTERNET_END, 32).await?;
        // While the other network is not attached, packets to it are dropped silently.
        netlink.put_route(&default_route(MAIN_TABLE, Via::LastResort)).await?;
        // Last, so that a pinned namespace is always complete.
        namespace.pin()?;
        Ok(namespace)
    }

    /// Removes the namespaces to which no router has a link any more.
    pub(crate) async fn remove_unused(&self) -> Result<(), PlaneError> {
        for name in pinned(&self.dir)? {
            let path = self.dir.join(name);
            let in_use = match Namespace::open(&path)? {
                Some(namespace) => {
                    Netlink::open(&namespace)?.links().await?.keys().any(|name| name.starts_with(FAR_LINKS))
                }
                None => false,
            };
            if !in_use {
                Namespace::unpin(&path)?;
            }
        }
        Ok(())
    }
}

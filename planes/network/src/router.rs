//! One network's router: a namespace whose actual state is made equal to a [`VpcSpec`].
//!
//! [`Router::open`] reads the actual state from the kernel, [`Router::apply`] changes only what differs. When an
//! apply fails or is cancelled, its caller drops the router and opens it again, so no assumption survives a failure.

use crate::{
    Applied, FlowCount, Flows, counting,
    counting::Counting,
    elements,
    firewall::{self, ENDPOINT_LINK, INTERNET_LINK, table_id},
    flows,
    internet::{INTERNET_END, Internet, Uplinks, default_route, host_route, pinned},
    namespace::Namespace,
    netlink::{ETH0, KernelRoute, LOOPBACK, MAIN_TABLE, Netlink, Peer, Via, leading_to},
    peerings::{self, PeeringLink, Peerings, link_name},
    ruleset::{Ruleset, TABLE_NAME},
    spec::*,
};
use escale_base::PlaneError;
use ipnet::Ipv4Net;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

pub(crate) struct Router {
    dir: PathBuf,
    namespace: Namespace,
    netlink: Netlink,
    /// The last applied spec; `None` before the first.
    spec: Option<VpcSpec>,
    /// `None` when unknown: the ruleset is then replaced as a whole, which disturbs no connection.
    ruleset: Option<Ruleset>,
    interfaces: BTreeMap<String, Existing>,
    addresses: BTreeSet<Ipv4Addr>,
    uplinks: Uplinks,
    /// By the names of their links.
    peerings: BTreeMap<String, PeeringLink>,
    routes: BTreeSet<KernelRoute>,
    tables: BTreeSet<u32>,
    public: Option<BTreeSet<Ipv4Addr>>,
    counting: Option<Counting>,
}

/// An existing interface; its link in the router has its address in the name.
struct Existing {
    address: Ipv4Addr,
    link: u32,
    /// Settings that cannot be read back; `None` after a restart.
    settings: Option<Settings>,
}

/// The settings of an interface's devices and of its own namespace.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Settings {
    gateway: Ipv4Addr,
    prefix: u8,
    kind: Kind,
    forwards: bool,
    /// Of a NAT gateway; 0 of others.
    idle_s: u32,
}

impl Settings {
    fn of(spec: &VpcSpec, interface: &Interface) -> Option<Settings> {
        let subnet = spec.subnet(&interface.subnet)?;
        Some(Settings {
            gateway: subnet.gateway(),
            prefix: subnet.cidr.prefix_len(),
            kind: interface.kind,
            forwards: interface.kind == Kind::Nat || !interface.source_dest_check,
            idle_s: if interface.kind == Kind::Nat { spec.gateway_idle_s } else { 0 },
        })
    }
}

impl Router {
    /// Opens the router under `dir`, or creates it.
    pub(crate) async fn open(dir: &Path) -> Result<Router, PlaneError> {
        let path = dir.join("router");
        let found = Namespace::open(&path)?;
        let fresh = found.is_none();
        let namespace = found.map_or_else(|| Namespace::create(&path), Ok)?;
        let netlink = Netlink::open(&namespace)?;
        if fresh {
            // Set before the first link is made: links take their settings from the defaults.
            namespace.set(&[
                ("ipv4/ip_forward", "1"),
                ("ipv4/conf/all/rp_filter", "0"),
                ("ipv4/conf/default/rp_filter", "1"),
                ("ipv4/conf/all/src_valid_mark", "1"),
                ("ipv4/conf/all/send_redirects", "0"),
                ("ipv4/conf/default/send_redirects", "0"),
                ("ipv4/conf/default/proxy_arp", "1"),
            ])?;
            namespace.set_if_there("ipv6/conf/default/disable_ipv6", "1")?;
            // Pinned last: a crash before leaves no namespace, so a pinned router always has these settings.
            netlink.up(LOOPBACK).await?;
            namespace.pin()?;
        }
        let links = netlink.links().await?;
        let mut router = Router {
            dir: dir.to_owned(),
            spec: None,
            ruleset: None,
            interfaces: BTreeMap::new(),
            addresses: netlink.addresses(LOOPBACK).await?.into_iter().filter(|a| !a.is_loopback()).collect(),
            uplinks: Internet::uplinks(&links),
            peerings: peerings::existing(&links),
            routes: netlink.routes().await?,
            tables: netlink.marked_tables().await?,
            public: None,
            counting: None,
            namespace,
            netlink,
        };
        for name in pinned(&router.interface_dir())? {
            let path = router.interface_dir().join(&name);
            let found = match Namespace::open(&path)? {
                Some(inside) => leading_to(&inside, &links).await?,
                None => None,
            };
            match found {
                Some((address, link)) => {
                    router.interfaces.insert(name, Existing { address, link: link.index, settings: None });
                }
                // Left by a reboot, or by a removal that did not complete.
                None => Namespace::unpin(&path)?,
            }
        }
        Ok(router)
    }

    pub(crate) async fn apply(
        &mut self,
        spec: &VpcSpec,
        internet: &Internet,
        peerings: &Peerings,
    ) -> Result<Applied, PlaneError> {
        let mut applied = Applied::default();
        // Reconcilers apply often; an equal spec costs no call of the kernel.
        if self.spec.as_ref() == Some(spec) {
            return Ok(applied);
        }
        // Before interfaces are removed, whose counts name them.
        let counted = match (&self.ruleset, spec.counted.is_empty()) {
            (None, false) => counting::recover(&self.namespace, &self.names()).await?,
            _ => Vec::new(),
        };
        // First, so that an address of a removed interface is free for a new one.
        self.remove_interfaces(spec, &mut applied).await?;
        // Rules refer to interfaces by name and can exist before them: a new link is never unprotected, not even for a moment.
        let restricts = self.apply_firewall(spec, &mut applied).await?;
        self.apply_counting(spec, counted).await?;
        self.apply_addresses(spec).await?;
        self.apply_uplinks(spec, internet).await?;
        self.apply_peerings(spec, peerings).await?;
        for interface in &spec.interfaces {
            self.apply_interface(spec, interface, &mut applied).await?;
        }
        // After the interfaces and uplinks, since routes refer to their links.
        self.apply_routes(spec, &mut applied).await?;
        self.apply_public(spec, internet).await?;
        // Established flows bypass the rules, so removed permissions are enforced here.
        if restricts {
            let before = self.spec.iter().flat_map(|old| &old.peerings);
            let ended: Vec<Ipv4Net> =
                before.filter(|p| spec.peering(&p.name).is_none()).map(|p| p.cidr).collect();
            applied.flows_cut = flows::cut_revoked(&self.namespace, spec, &ended).await?;
        }
        self.spec = Some(spec.clone());
        Ok(applied)
    }

    pub(crate) async fn take_flows(&mut self) -> Result<Flows, PlaneError> {
        // Not by the method: `counting` is borrowed, too.
        let names =
            self.interfaces.iter().map(|(name, existing)| (existing.address, name.as_str())).collect();
        match &mut self.counting {
            Some(counting) => counting.take(&self.namespace, &names).await,
            None => Ok(Flows::default()),
        }
    }

    fn names(&self) -> BTreeMap<Ipv4Addr, &str> {
        self.interfaces.iter().map(|(name, existing)| (existing.address, name.as_str())).collect()
    }

    async fn apply_counting(&mut self, spec: &VpcSpec, earlier: Vec<FlowCount>) -> Result<(), PlaneError> {
        let counted = spec.interfaces.iter().filter(|i| spec.counted.contains(&i.name));
        let links: BTreeSet<Ipv4Addr> = counted.map(|i| i.address).collect();
        match (&mut self.counting, links.is_empty()) {
            (None, true) => Ok(()),
            (Some(_), true) => {
                self.counting = None;
                counting::remove(&self.namespace).await
            }
            (Some(counting), false) => counting.change(&self.namespace, links).await,
            (None, false) => {
                self.counting = Some(Counting::start(&self.namespace, links, earlier).await?);
                Ok(())
            }
        }
    }

    /// Removes the network completely.
    pub(crate) async fn remove(self, peerings: &Peerings) -> Result<(), PlaneError> {
        let links = [self.uplinks.internet, self.uplinks.endpoint].into_iter().flatten().map(|u| u.here);
        let links = links.chain(self.peerings.values().map(|p| p.link));
        for link in links.chain(self.interfaces.values().map(|i| i.link)) {
            self.netlink.delete_link(link).await?;
        }
        peerings.remove_unused().await?;
        unpin_all(&self.dir)
    }

    fn interface_dir(&self) -> PathBuf {
        self.dir.join("interfaces")
    }

    async fn remove_interfaces(&mut self, spec: &VpcSpec, applied: &mut Applied) -> Result<(), PlaneError> {
        let desired: BTreeMap<&str, &Interface> =
            spec.interfaces.iter().map(|i| (i.name.as_str(), i)).collect();
        let stays = |name: &String, existing: &Existing| {
            desired.get(name.as_str()).is_some_and(|i| {
                let desired = Settings::of(spec, i);
                let same = |s: Settings| {
                    let in_place = |t| Settings { forwards: s.forwards, idle_s: s.idle_s, ..t };
                    desired.is_some_and(|t| in_place(t) == s)
                };
                // Only these two can be changed in place; any other difference replaces the interface. Settings that are not
                // known after a restart do not count as different: a restart must not interrupt traffic.
                i.address == existing.address && existing.settings.is_none_or(same)
            })
        };
        let gone: Vec<String> =
            self.interfaces.iter().filter(|(n, s)| !stays(n, s)).map(|(n, _)| n.clone()).collect();
        for name in gone {
            if let Some(existing) = self.interfaces.remove(&name) {
                self.netlink.delete_link(existing.link).await?;
                // The kernel deleted the routes together with the link.
                self.routes.retain(|r| r.link() != Some(existing.link));
                if let Some(counting) = &mut self.counting {
                    counting.removed(existing.link, &name);
                }
            }
            Namespace::unpin(&self.interface_dir().join(&name))?;
            applied.removed.insert(name);
        }
        Ok(())
    }

    async fn apply_firewall(&mut self, spec: &VpcSpec, applied: &mut Applied) -> Result<bool, PlaneError> {
        let ruleset = firewall::router(spec);
        let few = self.ruleset.as_ref().and_then(|old| ruleset.few_new_elements(old));
        if let Some(new) = few.filter(|new| !new.is_empty()) {
            elements::add(&self.namespace, TABLE_NAME, &new)?;
            applied.firewall = true;
            self.ruleset = Some(ruleset);
            return Ok(false);
        }
        let mut change = ruleset.script(self.ruleset.as_ref());
        if self.ruleset.is_none() && spec.counted.is_empty() {
            change.script.push_str(counting::REMOVE);
        }
        applied.firewall = !change.script.is_empty();
        if applied.firewall {
            let what = || format!("change the firewall of network '{}'", spec.name);
            self.namespace.run("nft", &["-f", "-"], change.script).await?.good(what)?;
        }
        if self.ruleset.is_none() {
            // The setting exists only once tracking is loaded. A flow that was cut must not be picked up again in the middle.
            self.namespace.set(&[("netfilter/nf_conntrack_tcp_loose", "0")])?;
        }
        self.ruleset = Some(ruleset);
        Ok(change.restricts)
    }

    async fn apply_addresses(&mut self, spec: &VpcSpec) -> Result<(), PlaneError> {
        let mut desired = spec.service_addresses.clone();
        desired.extend(spec.subnets.iter().map(Subnet::gateway));
        for gone in self.addresses.difference(&desired) {
            self.netlink.delete_address(LOOPBACK, *gone).await?;
        }
        for new in desired.difference(&self.addresses) {
            // On the loopback device, so that the router answers at these addresses on every link.
            self.netlink.add_address(LOOPBACK, *new, 32).await?;
        }
        self.addresses = desired;
        Ok(())
    }

    async fn apply_uplinks(&mut self, spec: &VpcSpec, internet: &Internet) -> Result<(), PlaneError> {
        let mut routes = spec.route_tables.iter().flat_map(|t| &t.routes);
        let endpoint = routes.any(|r| r.target == Target::ServiceEndpoint);
        let Uplinks { internet: to_internet, endpoint: to_services } = self.uplinks;
        for (name, wanted) in [(INTERNET_LINK, spec.internet_gateway), (ENDPOINT_LINK, endpoint)] {
            let is_internet = name == INTERNET_LINK;
            let (own, other) =
                if is_internet { (to_internet, to_services) } else { (to_services, self.uplinks.internet) };
            let now = match (own, wanted) {
                (None, true) => Some(internet.attach(&self.namespace, &self.netlink, name, other).await?),
                (Some(link), false) => {
                    self.netlink.delete_link(link.here).await?;
                    self.routes.retain(|r| r.link() != Some(link.here));
                    // The Internet's routes to the link ended with it.
                    self.public = None;
                    None
                }
                (same, _) => same,
            };
            *(if is_internet { &mut self.uplinks.internet } else { &mut self.uplinks.endpoint }) = now;
        }
        Ok(())
    }

    async fn apply_peerings(&mut self, spec: &VpcSpec, peerings: &Peerings) -> Result<(), PlaneError> {
        let gone = peerings.apply(spec, &self.namespace, &self.netlink, &mut self.peerings).await?;
        self.routes.retain(|r| r.link().is_none_or(|link| !gone.contains(&link)));
        Ok(())
    }

    async fn apply_interface(
        &mut self,
        spec: &VpcSpec,
        interface: &Interface,
        applied: &mut Applied,
    ) -> Result<(), PlaneError> {
        let Some(desired) = Settings::of(spec, interface) else { return Ok(()) };
        let name = &interface.name;
        let existing = self.interfaces.get(name).map(|s| s.settings);
        // Known and equal; after a restart the settings are unknown and applied once more.
        if existing == Some(Some(desired)) {
            return Ok(());
        }
        let path = self.interface_dir().join(name);
        if existing.is_none() {
            let inside = Namespace::create(&path)?;
            let link = self.add_interface(&inside, interface.address, desired).await?;
            self.interfaces
                .insert(name.clone(), Existing { address: interface.address, link, settings: None });
            if desired.kind == Kind::Nat {
                set_up_nat(&inside, spec, interface).await?;
            }
            // Last, so that a pinned interface is always complete.
            inside.pin()?;
            applied.added.insert(name.clone());
        } else if let (Kind::Nat, Some(inside)) = (desired.kind, Namespace::open(&path)?) {
            set_up_nat(&inside, spec, interface).await?;
        }
        // A forwarding interface sends from any address; all others only from their own.
        if existing.is_some() || desired.forwards {
            let filter = if desired.forwards { "0" } else { "1" };
            self.namespace.set(&[(&format!("ipv4/conf/{}/rp_filter", interface.address), filter)])?;
        }
        if let Some(existing) = self.interfaces.get_mut(name) {
            existing.settings = Some(desired);
        }
        Ok(())
    }

    async fn add_interface(
        &mut self,
        inside: &Namespace,
        address: Ipv4Addr,
        desired: Settings,
    ) -> Result<u32, PlaneError> {
        // As container runtimes do: a program without root may bind a port below 1024, and ping.
        inside.set(&[("ipv4/ip_unprivileged_port_start", "0"), ("ipv4/ping_group_range", "0 2147483647")])?;
        inside.set_if_there("ipv6/conf/all/disable_ipv6", "1")?;
        inside.set_if_there("ipv6/conf/default/disable_ipv6", "1")?;
        if desired.kind == Kind::Nat {
            inside.set(&[
                ("ipv4/ip_forward", "1"),
                ("ipv4/conf/all/rp_filter", "0"),
                ("ipv4/conf/default/rp_filter", "0"),
                ("ipv4/conf/all/send_redirects", "0"),
                ("ipv4/conf/default/send_redirects", "0"),
            ])?;
        }
        let peer = Peer { name: "eth0", namespace: inside, index: Some(ETH0) };
        let link = self.netlink.add_pair(&address.to_string(), peer).await?;
        // Otherwise the first packet to a neighbour is delayed by half a second.
        self.namespace.set(&[(&format!("ipv4/neigh/{address}/proxy_delay"), "0")])?;
        let route = host_route(address, Via::Link(link));
        self.netlink.put_route(&route).await?;
        self.routes.insert(route);
        let netlink = Netlink::open(inside)?;
        netlink.up(LOOPBACK).await?;
        netlink.add_address(ETH0, address, desired.prefix).await?;
        netlink.up(ETH0).await?;
        netlink.put_route(&default_route(MAIN_TABLE, Via::Gateway(ETH0, desired.gateway))).await?;
        Ok(link)
    }

    async fn apply_routes(&mut self, spec: &VpcSpec, applied: &mut Applied) -> Result<(), PlaneError> {
        let desired = self.routes_of(spec);
        let keys: BTreeSet<_> = desired.iter().map(KernelRoute::key).collect();
        // New routes before old ones are deleted: a changed route is replaced without a gap.
        for new in desired.difference(&self.routes) {
            self.netlink.put_route(new).await?;
            applied.routes += 1;
        }
        // A route whose key is desired was already replaced above; deleting it would delete its successor.
        for gone in self.routes.difference(&desired).filter(|r| !keys.contains(&r.key())) {
            self.netlink.delete_route(gone).await?;
            applied.routes += 1;
        }
        self.routes = desired;
        let tables: BTreeSet<u32> = spec.route_tables.iter().map(|t| table_id(&t.name)).collect();
        for gone in self.tables.difference(&tables) {
            self.netlink.delete_marked_table(*gone).await?;
        }
        for new in tables.difference(&self.tables) {
            self.netlink.add_marked_table(*new).await?;
        }
        self.tables = tables;
        Ok(())
    }

    fn routes_of(&self, spec: &VpcSpec) -> BTreeSet<KernelRoute> {
        let mut desired = BTreeSet::new();
        for existing in self.interfaces.values() {
            desired.insert(host_route(existing.address, Via::Link(existing.link)));
        }
        // An unassigned address of the network must not leave by a default route.
        desired.insert(KernelRoute { table: MAIN_TABLE, destination: spec.cidr, via: Via::Blackhole });
        for table in &spec.route_tables {
            let id = table_id(&table.name);
            // Without a matching route packets are dropped silently; the kernel's default would send "unreachable".
            desired.insert(default_route(id, Via::LastResort));
            for route in &table.routes {
                let via = match &route.target {
                    // The main table has routes to all interfaces, and is consulted first.
                    Target::Local => continue,
                    Target::Blackhole => Some(Via::Blackhole),
                    Target::InternetGateway => {
                        self.uplinks.internet.map(|u| Via::Gateway(u.here, INTERNET_END))
                    }
                    Target::ServiceEndpoint => {
                        self.uplinks.endpoint.map(|u| Via::Gateway(u.here, INTERNET_END))
                    }
                    Target::Peering(name) => {
                        let existing = self.peerings.get(&link_name(name));
                        existing.map(|p| Via::Gateway(p.link, INTERNET_END))
                    }
                    Target::Interface(name) => {
                        self.interfaces.get(name).map(|i| Via::Gateway(i.link, i.address))
                    }
                };
                let destination = route.destination;
                desired.extend(via.map(|via| KernelRoute { table: id, destination, via }));
            }
        }
        desired
    }

    async fn apply_public(&mut self, spec: &VpcSpec, internet: &Internet) -> Result<(), PlaneError> {
        let desired: BTreeSet<Ipv4Addr> = spec.interfaces.iter().filter_map(|i| i.public_address).collect();
        // Without an uplink there is nothing to route: the packets of the network cannot leave.
        if let (Some(uplink), true) = (self.uplinks.internet, self.public.as_ref() != Some(&desired)) {
            internet.route_public(uplink.there, &desired).await?;
            self.public = Some(desired);
        }
        Ok(())
    }
}

async fn set_up_nat(inside: &Namespace, spec: &VpcSpec, interface: &Interface) -> Result<(), PlaneError> {
    let script = firewall::nat(spec.cidr, interface.address).script(None).script;
    let what = || format!("set up address translation in interface '{}'", interface.name);
    inside.run("nft", &["-f", "-"], script).await?.good(what)?;
    // The table's rules have loaded connection tracking. A connection that times out is forgotten: the table resets it at its next packet.
    let seconds = spec.gateway_idle_s.to_string();
    inside.set(&[("netfilter/nf_conntrack_tcp_timeout_established", &seconds)])
}

/// Unpins every namespace below a directory, and removes the directory.
pub(crate) fn unpin_all(dir: &Path) -> Result<(), PlaneError> {
    use escale_base::error::Context as _;
    for name in pinned(dir)? {
        let path = dir.join(name);
        if path.is_dir() { unpin_all(&path)? } else { Namespace::unpin(&path)? }
    }
    match std::fs::remove_dir(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).machine(|| format!("remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

//! The kernel's links, addresses, routes and rules of one namespace, limited to the forms that this plane uses.

use crate::namespace::Namespace;
use escale_base::{PlaneError, error::Context as _};
use futures_util::TryStreamExt;
use ipnet::Ipv4Net;
use rtnetlink::{
    Handle, IpVersion, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder, new_connection,
    packet_route::{
        AddressFamily,
        address::AddressAttribute,
        link::{InfoData, InfoVeth, LinkAttribute, LinkMessage, Stats64},
        route::{RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType},
        rule::{RuleAction, RuleAttribute},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    os::fd::AsRawFd,
};

/// `lo` is always the first link of a namespace.
pub(crate) const LOOPBACK: u32 = 1;

/// The number that the only link of a namespace always gets, so it need not be looked up.
pub(crate) const ETH0: u32 = 2;

pub(crate) const MAIN_TABLE: u32 = 254;

/// Lower precedence than `main`, which thereby acts as the "local" route of every table.
const RULE_PRIORITY: u32 = 40_000;

/// A netlink connection to one namespace.
pub(crate) struct Netlink {
    handle: Handle,
    place: String,
    /// Aborted with the handle's owner.
    connection: tokio::task::JoinHandle<()>,
}

impl Drop for Netlink {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// An existing link.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) up: bool,
    /// The number of its peer, in the peer's namespace.
    pub(crate) peer: Option<u32>,
    pub(crate) stats: Option<Stats64>,
}

/// A route made by this plane.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KernelRoute {
    pub(crate) table: u32,
    pub(crate) destination: Ipv4Net,
    pub(crate) via: Via,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Via {
    /// Directly connected neighbours on that link, by its number.
    Link(u32),
    /// A gateway on that link, assumed to be reachable there (`onlink`).
    Gateway(u32, Ipv4Addr),
    Blackhole,
    /// A blackhole with the lowest precedence of all routes to the same destination.
    LastResort,
    /// To this namespace's own sockets, although the destination is not an address of it.
    Local,
}

impl KernelRoute {
    /// A route replaces another one with the same key.
    pub(crate) fn key(&self) -> (u32, Ipv4Net, bool) {
        (self.table, self.destination, self.via == Via::LastResort)
    }

    /// The link that the kernel deletes the route with.
    pub(crate) fn link(&self) -> Option<u32> {
        match self.via {
            Via::Link(link) | Via::Gateway(link, _) => Some(link),
            Via::Blackhole | Via::LastResort | Via::Local => None,
        }
    }
}

impl Netlink {
    /// Must be called within a tokio runtime.
    pub(crate) fn open(namespace: &Namespace) -> Result<Netlink, PlaneError> {
        let place = namespace.path().display().to_string();
        let (connection, handle, _) =
            namespace.hop(new_connection).machine(|| format!("open a netlink socket in {place}"))?;
        Ok(Netlink { handle, place, connection: tokio::spawn(connection) })
    }

    pub(crate) async fn links(&self) -> Result<BTreeMap<String, Link>, PlaneError> {
        let what = || format!("list the links of {}", self.place);
        let all: Vec<LinkMessage> = self.handle.link().get().execute().try_collect().await.machine(what)?;
        Ok(all.into_iter().filter_map(read_link).collect())
    }

    /// The number of the link with that name.
    pub(crate) async fn index(&self, name: &str) -> Result<u32, PlaneError> {
        let what = || format!("find the link '{name}' in {}", self.place);
        let mut found = self.handle.link().get().match_name(name.to_owned()).execute();
        let link = found.try_next().await.machine(what)?;
        link.map(|l| l.header.index).ok_or("no such link").machine(what)
    }

    /// Adds a pair of links: `name` here, up; `peer` inside `namespace`, down. Returns the number of the one here.
    pub(crate) async fn add_pair(&self, name: &str, peer: Peer<'_>) -> Result<u32, PlaneError> {
        let what = || format!("add the link '{name}' in {}", self.place);
        let mut there = LinkMessageBuilder::<LinkUnspec>::default()
            .name(peer.name.to_owned())
            .setns_by_fd(peer.namespace.fd().machine(what)?.as_raw_fd());
        if let Some(index) = peer.index {
            there = there.index(index);
        }
        let pair = LinkVeth::new(name, "unused").set_info_data(InfoData::Veth(InfoVeth::Peer(there.build())));
        self.handle.link().add(pair.up().build()).execute().await.machine(what)?;
        self.index(name).await
    }

    pub(crate) async fn up(&self, index: u32) -> Result<(), PlaneError> {
        let what = || format!("set link {index} of {} up", self.place);
        self.handle.link().set(LinkUnspec::new_with_index(index).up().build()).execute().await.machine(what)
    }

    /// Deletes a link. A link that does not exist is no error.
    pub(crate) async fn delete_link(&self, index: u32) -> Result<(), PlaneError> {
        const NO_SUCH_DEVICE: i32 = -19;
        match self.handle.link().del(index).execute().await {
            Err(rtnetlink::Error::NetlinkError(e)) if e.raw_code() == NO_SUCH_DEVICE => Ok(()),
            other => other.machine(|| format!("delete link {index} of {}", self.place)),
        }
    }

    pub(crate) async fn add_address(
        &self,
        index: u32,
        address: Ipv4Addr,
        prefix: u8,
    ) -> Result<(), PlaneError> {
        let what = || format!("add {address}/{prefix} to link {index} of {}", self.place);
        self.handle.address().add(index, address.into(), prefix).execute().await.machine(what)
    }

    /// The addresses of a link.
    pub(crate) async fn addresses(&self, index: u32) -> Result<BTreeSet<Ipv4Addr>, PlaneError> {
        let what = || format!("list the addresses of {}", self.place);
        let get = self.handle.address().get().set_link_index_filter(index);
        let all: Vec<_> = get.execute().try_collect().await.machine(what)?;
        let local = all.iter().flat_map(|m| &m.attributes).filter_map(|a| match a {
            AddressAttribute::Local(std::net::IpAddr::V4(a)) => Some(*a),
            _ => None,
        });
        Ok(local.collect())
    }

    pub(crate) async fn delete_address(&self, index: u32, address: Ipv4Addr) -> Result<(), PlaneError> {
        let what = || format!("remove {address} from link {index} of {}", self.place);
        let get = self.handle.address().get().set_link_index_filter(index).set_address_filter(address.into());
        let found: Vec<_> = get.execute().try_collect().await.machine(what)?;
        for message in found {
            self.handle.address().del(message).execute().await.machine(what)?;
        }
        Ok(())
    }

    /// The routes that this plane made, in all tables, without those that the kernel adds by itself.
    pub(crate) async fn routes(&self) -> Result<BTreeSet<KernelRoute>, PlaneError> {
        let what = || format!("list the routes of {}", self.place);
        let any = RouteMessageBuilder::<Ipv4Addr>::new().table_id(0).build();
        let all: Vec<RouteMessage> =
            self.handle.route().get(any).execute().try_collect().await.machine(what)?;
        Ok(all.iter().filter_map(read_route).collect())
    }

    /// Replaces the route with the same table and destination atomically.
    pub(crate) async fn put_route(&self, route: &KernelRoute) -> Result<(), PlaneError> {
        let what = || format!("set the route {route:?} in {}", self.place);
        self.handle.route().add(write_route(route)).replace().execute().await.machine(what)
    }

    pub(crate) async fn delete_route(&self, route: &KernelRoute) -> Result<(), PlaneError> {
        let what = || format!("delete the route {route:?} in {}", self.place);
        self.handle.route().del(write_route(route)).execute().await.machine(what)
    }

    /// The tables that are selected by the mark equal to their number.
    pub(crate) async fn marked_tables(&self) -> Result<BTreeSet<u32>, PlaneError> {
        let what = || format!("list the routing rules of {}", self.place);
        let all: Vec<_> =
            self.handle.rule().get(IpVersion::V4).execute().try_collect().await.machine(what)?;
        let mark = |attributes: &Vec<RuleAttribute>| {
            attributes.iter().find_map(|a| if let RuleAttribute::FwMark(m) = a { Some(*m) } else { None })
        };
        Ok(all.iter().filter_map(|m| mark(&m.attributes)).collect())
    }

    pub(crate) async fn add_marked_table(&self, table: u32) -> Result<(), PlaneError> {
        let what = || format!("add the rule that selects table {table} by its mark in {}", self.place);
        let rule = self.handle.rule().add().v4().fw_mark(table).table_id(table).priority(RULE_PRIORITY);
        rule.action(RuleAction::ToTable).execute().await.machine(what)
    }

    pub(crate) async fn delete_marked_table(&self, table: u32) -> Result<(), PlaneError> {
        let what = || format!("delete the rule that selects table {table} in {}", self.place);
        let mut rule = self.handle.rule().add().v4().fw_mark(table).table_id(table).priority(RULE_PRIORITY);
        let message = rule.message_mut().clone();
        self.handle.rule().del(message).execute().await.machine(what)
    }
}

/// Finds the link that leads to the namespace's `eth0`, and the address in the link's name. The addresses of
/// `eth0` itself are not used: a program inside may change them.
pub(crate) async fn leading_to(
    inside: &Namespace,
    links: &BTreeMap<String, Link>,
) -> Result<Option<(Ipv4Addr, Link)>, PlaneError> {
    let there = Netlink::open(inside)?.links().await?;
    let peer = there.values().find(|l| l.index == ETH0).and_then(|l| l.peer);
    let found = links.iter().find(|(_, link)| Some(link.index) == peer);
    Ok(found.and_then(|(name, link)| Some((name.parse().ok()?, link.clone()))))
}

/// The other end of a pair.
pub(crate) struct Peer<'a> {
    pub(crate) name: &'a str,
    pub(crate) namespace: &'a Namespace,
    pub(crate) index: Option<u32>,
}

fn read_link(message: LinkMessage) -> Option<(String, Link)> {
    use rtnetlink::packet_route::link::LinkFlags;
    let up = message.header.flags.contains(LinkFlags::Up | LinkFlags::LowerUp);
    let mut link = Link { index: message.header.index, up, peer: None, stats: None };
    let mut name = None;
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(n) => name = Some(n),
            LinkAttribute::Link(i) => link.peer = Some(i),
            LinkAttribute::Stats64(s) => link.stats = Some(s),
            _ => {}
        }
    }
    Some((name?, link))
}

fn read_route(message: &RouteMessage) -> Option<KernelRoute> {
    if message.header.address_family != AddressFamily::Inet
        // The kernel marks the routes that it adds itself with another protocol.
        || message.header.protocol != RouteProtocol::Static
    {
        return None;
    }
    let (mut table, mut oif, mut gateway, mut metric) = (u32::from(message.header.table), None, None, 0);
    let mut destination = Ipv4Addr::UNSPECIFIED;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Table(t) => table = *t,
            RouteAttribute::Oif(i) => oif = Some(*i),
            RouteAttribute::Gateway(RouteAddress::Inet(a)) => gateway = Some(*a),
            RouteAttribute::Destination(RouteAddress::Inet(a)) => destination = *a,
            RouteAttribute::Priority(p) => metric = *p,
            _ => {}
        }
    }
    let via = match (message.header.kind, oif, gateway) {
        (RouteType::BlackHole, ..) if metric == u32::MAX => Via::LastResort,
        (RouteType::BlackHole, ..) => Via::Blackhole,
        (RouteType::Local, ..) => Via::Local,
        (_, Some(link), Some(gateway)) => Via::Gateway(link, gateway),
        (_, Some(link), None) => Via::Link(link),
        _ => return None,
    };
    let destination = Ipv4Net::new(destination, message.header.destination_prefix_length).ok()?;
    Some(KernelRoute { table, destination, via })
}

fn write_route(route: &KernelRoute) -> RouteMessage {
    let to = route.destination;
    let message = RouteMessageBuilder::<Ipv4Addr>::new()
        .table_id(route.table)
        .destination_prefix(to.network(), to.prefix_len());
    match route.via {
        Via::Link(link) => message.output_interface(link).scope(RouteScope::Link),
        Via::Gateway(link, gateway) => message.output_interface(link).gateway(gateway).onlink(),
        Via::Blackhole => message.kind(RouteType::BlackHole),
        Via::LastResort => message.kind(RouteType::BlackHole).priority(u32::MAX),
        Via::Local => message.kind(RouteType::Local).output_interface(LOOPBACK).scope(RouteScope::Host),
    }
    .build()
}

//! The host's ways to public addresses: one loopback port forwards by the Host header, another by the server name of TLS, and
//! each public address has a loopback address: 198.18.a.b is 127.18.a.b, or in another block if the spec says so.

use crate::{
    Directory, Forwarder, Namespace, Namespaces, Place, forward, forward_by_name, forward_by_server_name,
};
use async_trait::async_trait;
use escale_base::PlaneError;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, PoisonError, RwLock},
};
use tokio::sync::Mutex;

/// The ports of public addresses that the forwarders connect to.
const HTTP: u16 = 80;
const HTTPS: u16 = 443;

/// What clients on the host reach over loopback.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostWebSpec {
    /// The port that forwards by the Host header, on 127.0.0.1 and ::1; 0 selects any free port.
    pub port: u16,
    /// The port that forwards by the server name of TLS; 0 selects any free port.
    pub https_port: u16,
    /// Forward by name at ports 80 and 443, too, where they are free.
    pub standard_ports: bool,
    /// The second byte of the loopback addresses of public addresses, for which 198.18 becomes 127.`block`.
    pub block: u8,
    /// The public addresses that have a loopback address.
    pub addresses: BTreeSet<Ipv4Addr>,
    /// Names that the answer for an unknown name lists besides those of the directory.
    pub names: BTreeSet<String>,
    /// Names of the directory that the answer does not list.
    pub unlisted: BTreeSet<String>,
}

impl HostWebSpec {
    fn ports(&self) -> Ports {
        Ports { http: self.port, https: self.https_port, standard: self.standard_ports }
    }
}

/// Forwards from the host's loopback interface to public addresses.
#[async_trait]
pub trait HostWeb: Send + Sync {
    /// Makes the forwarders match the spec. May be repeated. Fails if the port of HTTP is in use. Any other listener that cannot
    /// be opened is logged only, because its hosts stay reachable by the others.
    async fn apply(&self, spec: HostWebSpec) -> Result<(), PlaneError>;
}

/// The real implementation, in the Internet's namespace.
pub struct LoopbackWeb {
    namespaces: Namespaces,
    http: Arc<Listed>,
    https: Arc<Listed>,
    lists: Arc<RwLock<Lists>>,
    open: Mutex<Open>,
}

/// The spec's changes of the directory's list.
#[derive(Default)]
struct Lists {
    more: BTreeSet<String>,
    less: BTreeSet<String>,
}

/// A directory with another list, whose hosts are reached at this port.
struct Listed {
    directory: Arc<dyn Directory>,
    port: u16,
    lists: Arc<RwLock<Lists>>,
}

impl Directory for Listed {
    fn find(&self, name: &str) -> Vec<SocketAddr> {
        self.directory.find(name).into_iter().map(|host| (host.ip(), self.port).into()).collect()
    }

    fn names(&self) -> Vec<String> {
        let lists = self.lists.read().unwrap_or_else(PoisonError::into_inner);
        let more = lists.more.iter().filter(|name| !self.find(name).is_empty()).cloned();
        let known = self.directory.names().into_iter().filter(|name| !lists.less.contains(name));
        BTreeSet::from_iter(known.chain(more)).into_iter().collect()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Ports {
    http: u16,
    https: u16,
    standard: bool,
}

#[derive(Default)]
struct Open {
    /// With the ports of the spec, which may be 0.
    by_name: Option<(Ports, Vec<Forwarder>)>,
    block: u8,
    /// For both ports. A failure is remembered as `None`: it is logged once and not retried at every change.
    addresses: BTreeMap<Ipv4Addr, [Option<Forwarder>; 2]>,
}

impl LoopbackWeb {
    pub fn new(namespaces: Namespaces, directory: Arc<dyn Directory>) -> LoopbackWeb {
        let lists: Arc<RwLock<Lists>> = Arc::default();
        let listed =
            |port| Arc::new(Listed { directory: Arc::clone(&directory), port, lists: Arc::clone(&lists) });
        let (http, https) = (listed(HTTP), listed(HTTPS));
        LoopbackWeb { namespaces, http, https, lists, open: Mutex::default() }
    }

    /// The addresses at which names are served.
    pub async fn listening(&self) -> Vec<SocketAddr> {
        let open = self.open.lock().await;
        open.by_name.iter().flat_map(|(_, forwarders)| forwarders).map(Forwarder::local_addr).collect()
    }

    /// Closes all listeners. Connections continue until they end.
    pub async fn close(&self) {
        let open = std::mem::take(&mut *self.open.lock().await);
        let by_name = open.by_name.into_iter().flat_map(|(_, forwarders)| forwarders);
        for forwarder in by_name.chain(open.addresses.into_values().flatten().flatten()) {
            forwarder.close().await;
        }
    }

    async fn by_name(&self, ports: Ports) -> Result<Vec<Forwarder>, PlaneError> {
        let internet = self.namespaces.open(&Place::Internet)?;
        let listen = (Ipv4Addr::LOCALHOST, ports.http).into();
        let first = forward_by_name(internet.clone(), listen, self.http.clone()).await?;
        tracing::info!(at = %first.local_addr(), "public names are served by Host header");
        // Resolvers return ::1 first for *.localhost, and not every client tries the second address.
        let listen = (Ipv6Addr::LOCALHOST, first.local_addr().port()).into();
        let second = forward_by_name(internet.clone(), listen, self.http.clone()).await;
        if let Err(error) = &second {
            tracing::info!(%error, "public names are served on IPv4 only, because listening on IPv6 failed");
        }
        let mut open: Vec<Forwarder> = [first].into_iter().chain(second.ok()).collect();
        open.extend(self.optional(&internet, ports).await);
        Ok(open)
    }

    /// The listeners by name that the cloud can do without.
    async fn optional(&self, internet: &Namespace, ports: Ports) -> Vec<Forwarder> {
        let loopback = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
        let mut open = Vec::new();
        for address in loopback {
            let listen = SocketAddr::from((address, ports.https));
            match forward_by_server_name(internet.clone(), listen, self.https.clone()).await {
                Ok(forwarder) => {
                    tracing::info!(at = %forwarder.local_addr(), "public names are served over HTTPS by server name");
                    open.push(forwarder);
                }
                Err(error) => tracing::warn!(%error, "public names are not served over HTTPS at {listen}"),
            }
        }
        for address in loopback.into_iter().filter(|_| ports.standard) {
            let plain = forward_by_name(internet.clone(), (address, HTTP).into(), self.http.clone()).await;
            let tls =
                forward_by_server_name(internet.clone(), (address, HTTPS).into(), self.https.clone()).await;
            // A web server of the machine has them: that is no error.
            open.extend([plain, tls].into_iter().flatten());
        }
        open
    }

    async fn address(&self, address: Ipv4Addr, block: u8, port: u16) -> Option<Forwarder> {
        let opened = async {
            let internet = self.namespaces.open(&Place::Internet)?;
            forward(internet, SocketAddr::from((loopback_of(address, block), port)), (address, port).into())
                .await
        };
        let opened = opened.await.inspect_err(|error: &PlaneError| {
            tracing::warn!(%error, "cannot forward a loopback address to a public address, which stays reachable by its name");
        });
        opened.ok()
    }
}

#[async_trait]
impl HostWeb for LoopbackWeb {
    async fn apply(&self, spec: HostWebSpec) -> Result<(), PlaneError> {
        let mut open = self.open.lock().await;
        let ports = spec.ports();
        *self.lists.write().unwrap_or_else(PoisonError::into_inner) =
            Lists { more: spec.names, less: spec.unlisted };
        let (block, before) = (spec.block, std::mem::replace(&mut open.block, spec.block));
        open.addresses.retain(|address, _| before == block && spec.addresses.contains(address));
        for address in spec.addresses {
            if let Entry::Vacant(entry) = open.addresses.entry(address) {
                entry.insert([
                    self.address(address, block, HTTP).await,
                    self.address(address, block, HTTPS).await,
                ]);
            }
        }
        if open.by_name.as_ref().is_none_or(|(before, _)| *before != ports) {
            if let Some((_, old)) = open.by_name.take() {
                for forwarder in old {
                    forwarder.stop().await;
                }
            }
            open.by_name = Some((ports, self.by_name(ports).await?));
        }
        Ok(())
    }
}

/// 198.18.a.b is 127.`block`.a.b, and 198.19.a.b is in the block after it.
fn loopback_of(address: Ipv4Addr, block: u8) -> Ipv4Addr {
    let [_, b, c, d] = address.octets();
    let [_, first, ..] = crate::PUBLIC.network().octets();
    Ipv4Addr::new(127, block.wrapping_add(b.wrapping_sub(first)), c, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_addresses_are_in_the_block() {
        assert_eq!(loopback_of([198, 18, 0, 4].into(), 18), Ipv4Addr::new(127, 18, 0, 4));
        assert_eq!(loopback_of([198, 18, 7, 1].into(), 20), Ipv4Addr::new(127, 20, 7, 1));
        assert_eq!(loopback_of([198, 19, 7, 1].into(), 20), Ipv4Addr::new(127, 21, 7, 1));
    }
}

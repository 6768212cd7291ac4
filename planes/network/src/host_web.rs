//! The host's ways to public addresses: one loopback port forwards by the Host header, and each public address has a
//! loopback address: 198.18.a.b is 127.18.a.b.

use crate::{Directory, Forwarder, Namespaces, Place, forward, forward_by_name};
use async_trait::async_trait;
use escale_base::PlaneError;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, PoisonError},
};
use tokio::sync::Mutex;

/// The port of public addresses that the forwarders connect to.
const HTTP: u16 = 80;

/// What clients on the host reach over loopback.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostWebSpec {
    /// The port that forwards by the Host header, on 127.0.0.1 and ::1; 0 selects any free port.
    pub port: u16,
    /// The public addresses that have a loopback address.
    pub addresses: BTreeSet<Ipv4Addr>,
    /// Names that the answer for an unknown name lists besides those of the directory.
    pub names: BTreeSet<String>,
}

/// Forwards from the host's loopback interface to public addresses.
#[async_trait]
pub trait HostWeb: Send + Sync {
    /// Makes the forwarders match the spec. May be repeated. Fails if the port is in use. A loopback address that cannot be
    /// opened is logged only, because its public address stays reachable by name.
    async fn apply(&self, spec: HostWebSpec) -> Result<(), PlaneError>;
}

/// The real implementation, in the Internet's namespace.
pub struct LoopbackWeb {
    namespaces: Namespaces,
    directory: Arc<Listed>,
    open: Mutex<Open>,
}

/// A directory with more names to list.
struct Listed {
    directory: Arc<dyn Directory>,
    more: std::sync::Mutex<BTreeSet<String>>,
}

impl Directory for Listed {
    fn find(&self, name: &str) -> Option<SocketAddr> {
        self.directory.find(name)
    }

    fn names(&self) -> Vec<String> {
        let more = self.more.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known =
            self.directory.names().into_iter().chain(more.into_iter().filter(|n| self.find(n).is_some()));
        BTreeSet::from_iter(known).into_iter().collect()
    }
}

#[derive(Default)]
struct Open {
    /// With the port of the spec, which may be 0.
    by_name: Option<(u16, Vec<Forwarder>)>,
    /// A failure is remembered as `None`: it is logged once and not retried at every change.
    addresses: BTreeMap<Ipv4Addr, Option<Forwarder>>,
}

impl LoopbackWeb {
    pub fn new(namespaces: Namespaces, directory: Arc<dyn Directory>) -> LoopbackWeb {
        let directory = Arc::new(Listed { directory, more: Default::default() });
        LoopbackWeb { namespaces, directory, open: Mutex::default() }
    }

    /// Closes all listeners. Connections continue until they end.
    pub async fn close(&self) {
        let open = std::mem::take(&mut *self.open.lock().await);
        let by_name = open.by_name.into_iter().flat_map(|(_, forwarders)| forwarders);
        for forwarder in by_name.chain(open.addresses.into_values().flatten()) {
            forwarder.close().await;
        }
    }

    async fn by_name(&self, port: u16) -> Result<Vec<Forwarder>, PlaneError> {
        let internet = self.namespaces.open(&Place::Internet)?;
        let listen = (Ipv4Addr::LOCALHOST, port).into();
        let first = forward_by_name(internet.clone(), listen, self.directory.clone()).await?;
        tracing::info!(at = %first.local_addr(), "public names are served by Host header");
        // Resolvers return ::1 first for *.localhost, and not every client tries the second address.
        let listen = (Ipv6Addr::LOCALHOST, first.local_addr().port()).into();
        let second = forward_by_name(internet, listen, self.directory.clone()).await;
        if let Err(error) = &second {
            tracing::info!(%error, "public names are served on IPv4 only, because listening on IPv6 failed");
        }
        Ok([first].into_iter().chain(second.ok()).collect())
    }

    async fn address(&self, address: Ipv4Addr) -> Result<Forwarder, PlaneError> {
        let internet = self.namespaces.open(&Place::Internet)?;
        forward(internet, SocketAddr::from((loopback_of(address), HTTP)), (address, HTTP).into()).await
    }
}

#[async_trait]
impl HostWeb for LoopbackWeb {
    async fn apply(&self, spec: HostWebSpec) -> Result<(), PlaneError> {
        let mut open = self.open.lock().await;
        *self.directory.more.lock().unwrap_or_else(PoisonError::into_inner) = spec.names;
        open.addresses.retain(|address, _| spec.addresses.contains(address));
        for address in spec.addresses {
            if open.addresses.contains_key(&address) {
                continue;
            }
            let opened = self.address(address).await.inspect_err(|error| {
                tracing::warn!(%error, "cannot forward a loopback address to a public address, which stays reachable by its name");
            });
            open.addresses.insert(address, opened.ok());
        }
        if open.by_name.as_ref().is_none_or(|(port, _)| *port != spec.port) {
            if let Some((_, old)) = open.by_name.take() {
                for forwarder in old {
                    forwarder.stop().await;
                }
            }
            open.by_name = Some((spec.port, self.by_name(spec.port).await?));
        }
        Ok(())
    }
}

/// 198.18.a.b is 127.18.a.b.
fn loopback_of(address: Ipv4Addr) -> Ipv4Addr {
    let [_, b, c, d] = address.octets();
    Ipv4Addr::new(127, b, c, d)
}

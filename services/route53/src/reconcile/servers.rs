//! Runs a resolver in each available VPC, and two servers of the public zones: for the host and for the Internet.

use super::Parts;
use escale_base::{PlaneError, Timestamp, error::Context as _};
use escale_dns::{Server, View};
use escale_engine::{Plan, Reconciler, StepError};
use escale_network::Place;
use escale_store::{Change as RowChange, Image, Row, StoreError};
use escale_tables::{
    ec2::{Vpc, VpcId, VpcSeen},
    route53::{DnsApplied, DnsServer},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    sync::{Mutex, PoisonError},
};

pub(crate) struct Servers {
    parts: Parts,
    /// The running servers. Each has a row of this run.
    running: Mutex<BTreeMap<String, Server>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Serve { place: Option<Place>, address: SocketAddr, view: View },
    Stop,
}

const DNS_PORT: u16 = 53;

impl Servers {
    pub(crate) fn new(parts: Parts) -> Servers {
        Servers { parts, running: Mutex::default() }
    }

    /// The desired server for this key.
    pub(super) fn wish(&self, image: &Image, key: &str) -> Option<Step> {
        let config = &self.parts.config;
        match key {
            DnsServer::LOOPBACK => Some(Step::Serve {
                place: None,
                address: (Ipv4Addr::LOCALHOST, config.dns_port).into(),
                view: View::Public,
            }),
            DnsServer::INTERNET => Some(Step::Serve {
                place: Some(Place::Internet),
                address: (config.dns_address, DNS_PORT).into(),
                view: View::Public,
            }),
            vpc => {
                let row = image.get::<Vpc>(vpc).filter(|v| v.dns_support && image.has::<VpcSeen>(vpc))?;
                // As on AWS, the resolver has the VPC's base address plus 2.
                let base_plus_2 = Ipv4Addr::from_bits(row.cidr.network().to_bits().wrapping_add(2));
                Some(Step::Serve {
                    place: Some(Place::Router(vpc.to_owned())),
                    address: (base_plus_2, DNS_PORT).into(),
                    view: View::Network(vpc.to_owned()),
                })
            }
        }
    }

    async fn serve(
        &self,
        place: Option<Place>,
        address: SocketAddr,
        view: View,
    ) -> Result<Server, PlaneError> {
        let (udp, tcp) = match place {
            None => on_loopback(address)?,
            Some(place) => {
                let namespace = self.parts.network.namespace(&place)?;
                let what = || format!("open the DNS sockets {address} in {place}");
                let udp = namespace.udp_bind(address).await?.into_std().machine(what)?;
                let tcp = namespace.tcp_listen(address).await?.into_std().machine(what)?;
                (udp, tcp)
            }
        };
        self.parts.dns.serve(view, udp, tcp)
    }

    fn running(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Server>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reconciler for Servers {
    type Step = Step;
    const NAME: &'static str = "route53-servers";
    const WATCHES: &'static [&'static str] =
        &[DnsApplied::TABLE, DnsServer::TABLE, Vpc::TABLE, VpcSeen::TABLE];

    fn concerned(&self, image: &Image, change: &RowChange) -> BTreeSet<String> {
        match change.table {
            DnsApplied::TABLE => self.all(image),
            _ => BTreeSet::from([change.key.clone()]),
        }
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        let fixed = [DnsServer::LOOPBACK, DnsServer::INTERNET].map(str::to_owned);
        let rows = image.keys(Vpc::TABLE).chain(image.keys(DnsServer::TABLE));
        fixed.into_iter().chain(rows.cloned()).collect()
    }

    fn plan(&self, image: &Image, key: &str, _: Timestamp) -> Plan<Step> {
        let row = image.get::<DnsServer>(key);
        let Some(step) = self.wish(image, key) else {
            return if row.is_some() { Plan::Step(Step::Stop) } else { Plan::Done };
        };
        if row.is_some_and(|row| row.run == self.parts.run) {
            return Plan::Done;
        }
        // Without its zones a server would answer that their names do not exist.
        let applied = image.get::<DnsApplied>(DnsApplied::KEY).filter(|a| a.run == self.parts.run);
        let known = applied.is_some_and(|a| match &step {
            Step::Serve { view: View::Network(vpc), .. } => a.networks.contains(&VpcId::from(vpc.as_str())),
            _ => true,
        });
        if known { Plan::Step(step) } else { Plan::wait("the DNS plane does not have the zones yet") }
    }

    async fn act(&self, key: &str, step: Step) -> Result<(), StepError> {
        // Also before serving: an interrupted attempt may have left sockets on this address.
        let old = self.running().remove(key);
        if let Some(old) = old {
            old.stop().await;
        }
        let row = match step {
            Step::Stop => None,
            Step::Serve { place, address, view } => {
                let server = self.serve(place, address, view).await?;
                let address = server.udp;
                self.running().insert(key.to_owned(), server);
                let (place, run) = (key.into(), self.parts.run.clone());
                Some(DnsServer { place, run, address, at: self.parts.clock.now() })
            }
        };
        Ok(self.parts.store.write(|tx| {
            match row {
                Some(row) => tx.put(row),
                None => drop(tx.delete::<DnsServer>(key)),
            }
            Ok::<_, StoreError>(())
        })?)
    }
}

/// Opens both sockets on one port. With port 0, a port that is free for UDP may be in use for TCP: then another is tried.
fn on_loopback(address: SocketAddr) -> Result<(UdpSocket, TcpListener), PlaneError> {
    const TRIES: usize = 16;
    let what = || {
        format!(
            "serve DNS on {address} over UDP and TCP (set ESCALE_DNS_PORT to a free port, or to 0 for any free port)"
        )
    };
    let mut tried = 0;
    loop {
        let udp = UdpSocket::bind(address).machine(what)?;
        let got = udp.local_addr().machine(what)?;
        match TcpListener::bind(got) {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(_) if address.port() == 0 && tried < TRIES => tried += 1,
            Err(error) => return Err(error).machine(what),
        }
    }
}

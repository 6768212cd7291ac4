//! Runs a resolver in each available VPC, and two servers of the public zones: for the host and for the Internet.

use super::Parts;
use crate::sockets;
use escale_base::Timestamp;
use escale_dns::{ServerSpec, View};
use escale_engine::{Plan, Reconciler, StepError};
use escale_network::Place;
use escale_store::{Change as RowChange, Image, Row, StoreError};
use escale_tables::{
    ec2::{Vpc, VpcId, VpcSeen},
    route53::{DnsApplied, DnsServer},
};
use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
};

pub(crate) struct Servers(Parts);

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Serve { place: Option<Place>, address: SocketAddr, view: View },
    Stop,
}

const DNS_PORT: u16 = 53;

impl Servers {
    pub(crate) fn new(parts: Parts) -> Servers {
        Servers(parts)
    }

    /// The desired server for this key.
    pub(super) fn wish(&self, image: &Image, key: &str) -> Option<Step> {
        let config = &self.0.config;
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
        if row.is_some_and(|row| row.run == self.0.run) {
            return Plan::Done;
        }
        // Without its zones a server would answer that their names do not exist.
        let applied = image.get::<DnsApplied>(DnsApplied::KEY).filter(|a| a.run == self.0.run);
        let known = applied.is_some_and(|a| match &step {
            Step::Serve { view: View::Network(vpc), .. } => a.networks.contains(&VpcId::from(vpc.as_str())),
            _ => true,
        });
        if known { Plan::Step(step) } else { Plan::wait("the DNS plane does not have the zones yet") }
    }

    async fn act(&self, key: &str, step: Step) -> Result<(), StepError> {
        let row = match step {
            Step::Stop => {
                self.0.dns.stop(key).await?;
                None
            }
            Step::Serve { place, address, view } => {
                let place = place.as_ref().and_then(sockets::name_of);
                let server = ServerSpec { name: key.to_owned(), view, place, address };
                let address = self.0.dns.serve(server).await?;
                let (place, run) = (key.into(), self.0.run.clone());
                Some(DnsServer { place, run, address, at: self.0.clock.now() })
            }
        };
        Ok(self.0.store.write(|tx| {
            match row {
                Some(row) => tx.put(row),
                None => drop(tx.delete::<DnsServer>(key)),
            }
            Ok::<_, StoreError>(())
        })?)
    }
}

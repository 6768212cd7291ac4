//! The state of the DNS plane and its servers. The plane starts empty, so a row of another run no longer holds.

use crate::{Fingerprint, ec2::VpcId, row};
use escale_base::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, net::SocketAddr};

escale_base::name! {
    /// A run of the daemon.
    RunId;
    /// A VPC's id, or [`DnsServer::LOOPBACK`] or [`DnsServer::INTERNET`].
    DnsPlace;
}

/// The specification that was applied last. One row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DnsApplied {
    /// The run of the daemon that applied it.
    pub run: RunId,
    pub fingerprint: Fingerprint,
    /// The number of the last change that it contains.
    pub sequence: u64,
    /// The networks whose resolvers it contains.
    pub networks: BTreeSet<VpcId>,
    pub at: Timestamp,
}
row!(DnsApplied, "route53_applied", |_r| DnsApplied::KEY.to_owned());

impl DnsApplied {
    pub const KEY: &'static str = "last";
}

/// A running server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DnsServer {
    pub place: DnsPlace,
    /// The run of the daemon that opened its sockets.
    pub run: RunId,
    /// UDP and TCP.
    pub address: SocketAddr,
    pub at: Timestamp,
}
row!(DnsServer, "route53_server", |r| r.place.to_string());

impl DnsServer {
    /// On the host.
    pub const LOOPBACK: &'static str = "loopback";
    /// On the cloud's Internet.
    pub const INTERNET: &'static str = "internet";
}

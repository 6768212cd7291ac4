//! The state of the DNS plane and its servers. The plane starts empty, so a row of another run no longer holds.

use crate::{ec2::VpcId, row};
use escale_base::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, net::SocketAddr};

/// The specification that was applied last. One row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DnsApplied {
    /// The run of the daemon that applied it.
    pub run: String,
    /// The fingerprint of the specification.
    pub fingerprint: String,
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
    /// A VPC's id, or [`DnsServer::LOOPBACK`] or [`DnsServer::INTERNET`].
    pub place: String,
    /// The run of the daemon that opened its sockets.
    pub run: String,
    /// UDP and TCP.
    pub address: SocketAddr,
    pub at: Timestamp,
}
row!(DnsServer, "route53_server", |r| r.place.clone());

impl DnsServer {
    /// On the host.
    pub const LOOPBACK: &'static str = "loopback";
    /// On the cloud's Internet.
    pub const INTERNET: &'static str = "internet";
}

//! What the DNS plane has, and where it serves. The plane keeps nothing over a restart: a row of another run says what
//! was, not what is.

use crate::{ec2::VpcId, row};
use escale_base::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, net::SocketAddr};

/// What was applied last. One row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DnsApplied {
    /// Which run of the daemon applied it.
    pub run: String,
    /// Of the specification.
    pub fingerprint: String,
    /// The last change that is in it.
    pub sequence: u64,
    /// The networks that have a resolver in it.
    pub networks: BTreeSet<VpcId>,
    pub at: Timestamp,
}
row!(DnsApplied, "route53_applied", |_r| DnsApplied::KEY.to_owned());

impl DnsApplied {
    pub const KEY: &'static str = "last";
}

/// A server that answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DnsServer {
    /// A VPC's id, or [`DnsServer::LOOPBACK`] or [`DnsServer::INTERNET`].
    pub place: String,
    /// Which run of the daemon opened its sockets.
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

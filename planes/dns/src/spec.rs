//! The complete interface of the plane, as plain data.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, net::SocketAddr, sync::Arc};

/// All data to serve. Applied as a whole: names that are not in it are no longer answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Zones served to every client; every network sees them behind its own.
    #[serde(with = "zones")]
    pub public: Vec<Arc<Zone>>,
    /// Answers per second and client of the public view over UDP; `None` means no limit.
    pub public_queries_per_second: Option<u32>,
    /// Answers for names that the process itself looks up ([`crate::DnsPlane::addresses_outside`]) and no zone contains.
    pub outside: Option<Upstream>,
    /// A resolver per network, by the network's name.
    pub networks: BTreeMap<String, Resolver>,
}

/// The resolver of one network: its own zones first, then the public ones, then the upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolver {
    /// Names below one of these are never looked up anywhere else.
    #[serde(with = "zones")]
    pub zones: Vec<Arc<Zone>>,
    /// Answers for names that no zone contains.
    pub upstream: Option<Upstream>,
    /// Answers per second and client over UDP; `None` means no limit.
    pub queries_per_second: Option<u32>,
}

/// Resolvers outside, reached from the process's own network namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    pub servers: Servers,
    /// Names at or below one of these do not exist, whatever the servers say…
    pub withheld: Vec<String>,
    /// …unless they are at or below one of these.
    pub allowed: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Servers {
    /// Tried in this order.
    These(Vec<SocketAddr>),
    /// Those that the host's own programs use, at the time of each question.
    OfHost,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// The apex, with or without the final dot.
    pub name: String,
    /// In any order; must contain an SOA at the apex. Its serial is the zone's.
    pub records: Vec<Record>,
}

/// One record set, or one member of a set with several (`routing`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The full name; `*` as the leftmost label is a wildcard (RFC 4592).
    pub name: String,
    pub kind: Kind,
    pub data: Data,
    pub routing: Routing,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Data {
    /// Values in the format of zone files (RFC 1035 section 5): `10 mail.example.com` for an MX, `"some text"` for a
    /// TXT. Names in values are full names, with or without the final dot.
    Values { ttl_secs: u32, values: Vec<String> },
    /// Answers with the records of another name of the same view and the same kind, with their TTL. A target that
    /// does not exist (yet) gives no data.
    Alias { target: String },
}

/// How one of several members with the same name and kind is chosen. The caller handles health: it leaves out
/// the members that are down and applies again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Routing {
    /// The only member; all its values are answered, in random order.
    Simple,
    /// Up to eight members, chosen at random, are answered together.
    Multivalue,
    /// One member is answered, with the probability of its weight over the sum. Weight 0 is answered only if
    /// all are 0.
    Weighted(u8),
}

macro_rules! kinds {
    ($($kind:ident),+) => {
        /// The supported record types.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[allow(clippy::upper_case_acronyms)]
        pub enum Kind { $($kind),+ }

        impl Kind {
            pub const ALL: &'static [Kind] = &[$(Kind::$kind),+];

            pub(crate) fn record_type(self) -> hickory_proto::rr::RecordType {
                match self { $(Kind::$kind => hickory_proto::rr::RecordType::$kind),+ }
            }
        }

        impl fmt::Display for Kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Kind::$kind => stringify!($kind)),+ })
            }
        }
    };
}
kinds!(A, AAAA, CAA, CNAME, MX, NS, PTR, SOA, SRV, TXT);

/// The view that a socket answers from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum View {
    /// Authoritative for the public zones; REFUSED for all other names.
    Public,
    /// The resolver of this network.
    Network(String),
}

/// A server: the same view over UDP and TCP at one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerSpec {
    /// Names are the caller's; a server replaces the one of the same name.
    pub name: String,
    pub view: View,
    /// Passed to [`crate::Sockets`]; `None` is the process's own network.
    pub place: Option<String>,
    /// Port 0 selects any free port. The answer's source is the question's destination, so it must be one address.
    pub address: SocketAddr,
}

impl ServerSpec {
    /// Whether the running server, whose address has its actual port, is this one.
    pub(crate) fn is_served_by(&self, running: &ServerSpec) -> bool {
        let port = if self.address.port() == 0 { running.address.port() } else { self.address.port() };
        let address = SocketAddr::new(self.address.ip(), port);
        *running == ServerSpec { address, ..self.clone() }
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            View::Public => f.write_str("the public view"),
            View::Network(name) => write!(f, "the resolver of network '{name}'"),
        }
    }
}

impl From<SocketAddr> for Upstream {
    fn from(server: SocketAddr) -> Upstream {
        Upstream { servers: Servers::These(vec![server]), withheld: Vec::new(), allowed: Vec::new() }
    }
}

impl Zone {
    /// A zone with the two records that every zone must have: SOA (negative answers are cached for a minute) and NS.
    pub fn new(name: &str, name_servers: &[&str], serial: u32) -> Zone {
        let primary = name_servers.first().copied().unwrap_or("localhost");
        let soa = format!("{primary} hostmaster.{name} {serial} 7200 900 1209600 60");
        let mut zone = Zone { name: name.to_owned(), records: Vec::new() };
        zone.records.push(Record::simple(name, Kind::SOA, 900, &[&soa]));
        if !name_servers.is_empty() {
            zone.records.push(Record::simple(name, Kind::NS, 172_800, name_servers));
        }
        zone
    }

    pub fn with(mut self, record: Record) -> Zone {
        self.records.push(record);
        self
    }
}

impl Record {
    pub fn simple(name: &str, kind: Kind, ttl_secs: u32, values: &[&str]) -> Record {
        let values = values.iter().map(|v| (*v).to_owned()).collect();
        Record {
            name: name.to_owned(),
            kind,
            data: Data::Values { ttl_secs, values },
            routing: Routing::Simple,
        }
    }

    pub fn alias(name: &str, kind: Kind, target: &str) -> Record {
        let data = Data::Alias { target: target.to_owned() };
        Record { name: name.to_owned(), kind, data, routing: Routing::Simple }
    }

    pub fn routed(mut self, routing: Routing) -> Record {
        self.routing = routing;
        self
    }
}

/// Zones by value: a receiver gets its own.
mod zones {
    use super::Zone;
    use serde::{Deserialize, Deserializer, Serializer};
    use std::sync::Arc;

    pub(super) fn serialize<S: Serializer>(zones: &[Arc<Zone>], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(zones.iter().map(|zone| &**zone))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Arc<Zone>>, D::Error> {
        Ok(Vec::<Zone>::deserialize(from)?.into_iter().map(Arc::new).collect())
    }
}

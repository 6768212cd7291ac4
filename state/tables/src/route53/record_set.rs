//! Record sets.

use super::{CanonicalName, HealthCheckId, HostedZoneId};
use crate::row;
use serde::{Deserialize, Serialize};

escale_base::choice! {
    /// The record types that are served.
    pub enum RecordType {
        A = "A", Aaaa = "AAAA", Caa = "CAA", Cname = "CNAME", Mx = "MX", Ns = "NS", Ptr = "PTR", Soa = "SOA",
        Srv = "SRV", Txt = "TXT",
    }
}

escale_base::choice! {
    pub enum Failover { Primary = "PRIMARY", Secondary = "SECONDARY" }
}

/// A record set. With failover, weighted or multivalue routing, several have the same name and type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordSet {
    pub zone: HostedZoneId,
    pub name: CanonicalName,
    pub kind: RecordType,
    pub data: RecordData,
    pub routing: Routing,
    /// Decides whether it is answered if there are several.
    #[serde(default)]
    pub health_check: Option<HealthCheckId>,
}
row!(RecordSet, "route53_record_set", |r| {
    let set = r.routing.set_identifier().unwrap_or("");
    format!("{}/{}/{}/{set}", r.zone, RecordSet::reversed(&r.name), r.kind)
});

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RecordData {
    /// Values as the client sent them.
    Values { ttl_secs: u32, values: Vec<String> },
    /// The records of another name. `zone` is the id that the client sent; the cloud's own names have no zone row.
    Alias { zone: HostedZoneId, target: CanonicalName, evaluate_target_health: bool },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Routing {
    Simple,
    Weighted { set_identifier: String, weight: u8 },
    Multivalue { set_identifier: String },
    Failover { set_identifier: String, failover: Failover },
}

impl Routing {
    pub fn set_identifier(&self) -> Option<&str> {
        match self {
            Routing::Simple => None,
            Routing::Weighted { set_identifier, .. }
            | Routing::Multivalue { set_identifier }
            | Routing::Failover { set_identifier, .. } => Some(set_identifier),
        }
    }
}

impl RecordSet {
    /// `www.example.com.` as `com.example.www.`: the order in which record sets are listed.
    pub fn reversed(name: &str) -> String {
        let labels = name.trim_end_matches('.').split('.').rev();
        labels.fold(String::with_capacity(name.len()), |all, label| all + label + ".")
    }
}

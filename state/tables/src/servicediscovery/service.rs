//! Services: a name in a namespace, under which instances are found.

use super::{CreatorRequestId, NamespaceId};
use crate::row;
use escale_base::{Tag, Timestamp, Wire};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

escale_base::name! {
    /// `srv-` and 16 letters and digits.
    DiscoveryServiceId;
    /// The first labels of the service's domain name, or `.` for the namespace's own name.
    DiscoveryServiceName;
}

escale_base::choice! { pub enum ServiceType { Http = "HTTP", DnsHttp = "DNS_HTTP", Dns = "DNS" } }
escale_base::choice! { pub enum RoutingPolicy { Multivalue = "MULTIVALUE", Weighted = "WEIGHTED" } }
escale_base::choice! {
    pub enum DnsRecordType { Srv = "SRV", A = "A", Aaaa = "AAAA", Cname = "CNAME" }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiscoveryService {
    pub id: DiscoveryServiceId,
    pub name: DiscoveryServiceName,
    pub namespace: NamespaceId,
    pub kind: ServiceType,
    /// The records of each instance; `None` if instances are only found through DiscoverInstances.
    pub dns: Option<DnsConfig>,
    /// Whether clients set the health of instances (UpdateInstanceCustomHealthStatus).
    pub custom_health: bool,
    pub description: Option<String>,
    pub creator_request_id: Option<CreatorRequestId>,
    pub attributes: BTreeMap<String, String>,
    /// Grows with every change of the instances.
    pub revision: i64,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(DiscoveryService, "servicediscovery_service", |r| r.id.to_string());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DnsConfig {
    pub routing: RoutingPolicy,
    pub records: Vec<DnsRecord>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Wire)]
pub struct DnsRecord {
    #[wire("Type")]
    pub kind: DnsRecordType,
    #[wire("TTL")]
    pub ttl_secs: u32,
}

impl DiscoveryService {
    pub fn random_id() -> DiscoveryServiceId {
        DiscoveryServiceId(format!("srv-{}", super::random_suffix()))
    }

    /// Whether instances have DNS records of this type.
    pub fn has_record(&self, kind: DnsRecordType) -> bool {
        self.dns.iter().flat_map(|dns| &dns.records).any(|record| record.kind == kind)
    }
}

//! Namespaces.

use super::CreatorRequestId;
use crate::{ec2::VpcId, route53::HostedZoneId, row};
use escale_base::{Tag, Timestamp};
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// `ns-` and 16 letters and digits.
    NamespaceId;
    /// The domain of a DNS namespace, without a final dot; any text for an HTTP namespace.
    NamespaceName;
}

escale_base::choice! {
    pub enum NamespaceType { DnsPublic = "DNS_PUBLIC", DnsPrivate = "DNS_PRIVATE", Http = "HTTP" }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Namespace {
    pub id: NamespaceId,
    pub name: NamespaceName,
    /// The hosted zone and the VPC whose resolver answers it; `None` for an HTTP namespace.
    pub dns: Option<NamespaceDns>,
    pub description: Option<String>,
    pub creator_request_id: Option<CreatorRequestId>,
    pub tags: Vec<Tag>,
    pub created: Timestamp,
}
row!(Namespace, "servicediscovery_namespace", |r| r.id.to_string());

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamespaceDns {
    pub zone: HostedZoneId,
    pub vpc: VpcId,
}

impl Namespace {
    pub fn random_id() -> NamespaceId {
        NamespaceId(format!("ns-{}", super::random_suffix()))
    }

    pub fn kind(&self) -> NamespaceType {
        if self.dns.is_some() { NamespaceType::DnsPrivate } else { NamespaceType::Http }
    }
}

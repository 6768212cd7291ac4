//! Request and response shapes that several operations share.

use crate::{
    Error,
    choices::{HealthCheckType, OperationStatus, OperationTargetType},
    rules, status,
};
use escale_base::{AwsError, Timestamp, Wire};
use escale_service::Cx;
use escale_tables::{
    route53::{HostedZoneId, RecordData, RecordSet, RecordType, Routing},
    servicediscovery::{
        CreatorRequestId, DiscoveryService, DiscoveryServiceId, DiscoveryServiceName, DnsConfig, DnsRecord,
        DnsRecordType, Namespace, NamespaceId, NamespaceName, NamespaceType, Operation, OperationId,
        OperationTarget, OperationType, RoutingPolicy, ServiceType,
    },
};
use std::collections::BTreeMap;

/// The answer of an operation that clients poll with GetOperation.
#[derive(Debug, Wire)]
pub(crate) struct Accepted {
    pub operation_id: OperationId,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct SoaShape {
    #[wire("TTL")]
    pub ttl: u32,
}

/// `Properties` of a private namespace in requests.
#[derive(Clone, Debug, Wire)]
pub(crate) struct PropertiesInput {
    pub dns_properties: DnsPropertiesInput,
}

impl PropertiesInput {
    pub(crate) fn with_ttl(ttl: u32) -> PropertiesInput {
        PropertiesInput { dns_properties: DnsPropertiesInput { soa: SoaShape { ttl } } }
    }
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct DnsPropertiesInput {
    #[wire("SOA")]
    pub soa: SoaShape,
}

#[derive(Debug, Wire)]
pub(crate) struct DnsProperties {
    pub hosted_zone_id: HostedZoneId,
    #[wire("SOA")]
    pub soa: Option<SoaShape>,
}

#[derive(Debug, Wire)]
pub(crate) struct HttpProperties {
    pub http_name: NamespaceName,
}

#[derive(Debug, Wire)]
pub(crate) struct NamespaceProperties {
    pub dns_properties: Option<DnsProperties>,
    pub http_properties: HttpProperties,
}

#[derive(Debug, Wire)]
pub(crate) struct NamespaceShape {
    pub id: NamespaceId,
    pub arn: String,
    pub resource_owner: String,
    pub name: NamespaceName,
    pub r#type: NamespaceType,
    pub description: Option<String>,
    pub service_count: usize,
    pub properties: NamespaceProperties,
    pub create_date: Timestamp,
    pub creator_request_id: Option<CreatorRequestId>,
}

pub(crate) fn namespace(cx: &Cx<'_>, row: &Namespace) -> NamespaceShape {
    let dns_properties = row.dns.as_ref().map(|dns| DnsProperties {
        hosted_zone_id: dns.zone.clone(),
        soa: soa(cx, &dns.zone).and_then(|set| match set.data {
            RecordData::Values { ttl_secs, .. } => Some(SoaShape { ttl: ttl_secs }),
            RecordData::Alias { .. } => None,
        }),
    });
    NamespaceShape {
        id: row.id.clone(),
        arn: rules::namespace_arn(cx, &row.id),
        resource_owner: cx.config.account.clone(),
        name: row.name.clone(),
        r#type: row.kind(),
        description: row.description.clone(),
        service_count: rules::services_of(cx.tx, row).count(),
        properties: NamespaceProperties {
            dns_properties,
            http_properties: HttpProperties { http_name: row.name.clone() },
        },
        create_date: row.created,
        creator_request_id: row.creator_request_id.clone(),
    }
}

/// The zone's SOA record set. Its TTL is how long resolvers keep the answer that a name does not exist.
pub(crate) fn soa(cx: &Cx<'_>, zone: &HostedZoneId) -> Option<RecordSet> {
    let prefix = format!("{zone}/");
    let mut all = cx.tx.prefix::<RecordSet>(&prefix);
    all.find(|set| set.kind == RecordType::Soa && set.routing == Routing::Simple)
        .map(|set| RecordSet::clone(&set))
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct DnsConfigShape {
    pub namespace_id: Option<NamespaceId>,
    pub routing_policy: Option<RoutingPolicy>,
    pub dns_records: Vec<DnsRecord>,
}

/// A check by Route 53's health checkers, which are on the Internet.
#[derive(Clone, Debug, Wire)]
pub(crate) struct HealthCheckConfig {
    #[allow(dead_code)] // refused as a whole
    r#type: HealthCheckType,
    #[allow(dead_code)]
    resource_path: Option<String>,
    #[allow(dead_code)]
    failure_threshold: Option<i32>,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct HealthCheckCustomConfig {
    pub failure_threshold: Option<i32>,
}

pub(crate) fn refuse_checks(config: Option<&HealthCheckConfig>) -> Result<(), AwsError> {
    match config {
        None => Ok(()),
        Some(_) => Err(AwsError::not_supported("A HealthCheckConfig")
            .hint("AWS has it only in public namespaces. Use HealthCheckCustomConfig.")),
    }
}

#[derive(Debug, Wire)]
pub(crate) struct ServiceShape {
    pub id: DiscoveryServiceId,
    pub arn: String,
    pub resource_owner: String,
    pub name: DiscoveryServiceName,
    pub namespace_id: NamespaceId,
    pub description: Option<String>,
    pub instance_count: usize,
    pub dns_config: Option<DnsConfigShape>,
    pub r#type: ServiceType,
    pub health_check_custom_config: Option<HealthCheckCustomConfig>,
    pub create_date: Timestamp,
    pub creator_request_id: Option<CreatorRequestId>,
    pub created_by_account: String,
}

pub(crate) fn service(cx: &Cx<'_>, row: &DiscoveryService) -> ServiceShape {
    ServiceShape {
        id: row.id.clone(),
        arn: rules::service_arn(cx, &row.id),
        resource_owner: cx.config.account.clone(),
        name: row.name.clone(),
        namespace_id: row.namespace.clone(),
        description: row.description.clone(),
        instance_count: rules::instances(cx.tx, &row.id).len(),
        dns_config: row.dns.as_ref().map(|dns| DnsConfigShape {
            namespace_id: Some(row.namespace.clone()),
            routing_policy: Some(dns.routing),
            dns_records: dns.records.clone(),
        }),
        r#type: row.kind,
        health_check_custom_config: row
            .custom_health
            .then_some(HealthCheckCustomConfig { failure_threshold: Some(1) }),
        create_date: row.created,
        creator_request_id: row.creator_request_id.clone(),
        created_by_account: cx.config.account.clone(),
    }
}

/// Checks the DNS records of a service.
///
/// Source: <https://docs.aws.amazon.com/cloud-map/latest/api/API_DnsRecord.html>
pub(crate) fn dns_config(
    routing: Option<RoutingPolicy>,
    records: Vec<DnsRecord>,
) -> Result<DnsConfig, Error> {
    let has = |kind| records.iter().any(|record| record.kind == kind);
    let routing = routing.unwrap_or(RoutingPolicy::Multivalue);
    let invalid = |why: &str| Err(Error::Invalid(why.to_owned()));
    if records.is_empty() {
        return invalid("DnsConfig needs at least one of DnsRecords.");
    }
    for (i, record) in records.iter().enumerate() {
        if records[..i].iter().any(|other| other.kind == record.kind) {
            return Err(Error::Invalid(format!("DnsRecords has the type {} twice.", record.kind)));
        }
    }
    if has(DnsRecordType::Cname) && records.len() > 1 {
        return invalid("A CNAME record cannot be combined with records of other types.");
    }
    if has(DnsRecordType::Cname) && routing == RoutingPolicy::Multivalue {
        return invalid("A CNAME record needs the RoutingPolicy WEIGHTED.");
    }
    Ok(DnsConfig { routing, records })
}

#[derive(Debug, Wire)]
pub(crate) struct OperationShape {
    pub id: OperationId,
    pub owner_account: String,
    pub r#type: OperationType,
    pub status: OperationStatus,
    pub create_date: Timestamp,
    pub update_date: Timestamp,
    pub targets: BTreeMap<String, String>,
}

pub(crate) fn operation(cx: &Cx<'_>, row: &Operation) -> OperationShape {
    let key = |kind: OperationTargetType| kind.as_str().to_owned();
    let targets = match &row.target {
        OperationTarget::Namespace(id) => {
            BTreeMap::from([(key(OperationTargetType::Namespace), id.to_string())])
        }
        OperationTarget::Service { service, .. } => {
            BTreeMap::from([(key(OperationTargetType::Service), service.to_string())])
        }
        OperationTarget::Instance { service, instance, .. } => BTreeMap::from([
            (key(OperationTargetType::Service), service.to_string()),
            (key(OperationTargetType::Instance), instance.to_string()),
        ]),
    };
    OperationShape {
        id: row.id.clone(),
        owner_account: cx.config.account.clone(),
        r#type: row.kind,
        status: status::operation(cx.tx, row),
        create_date: row.created,
        update_date: row.created,
        targets,
    }
}

//! Request and response shapes that several operations share.

use crate::{choices::RRType, status::ChangeStatus, system};
use escale_base::{AwsError, Timestamp, Wire};
use escale_service::Config;
use escale_store::Image;
use escale_tables::{
    ServicePrincipal,
    ec2::VpcId,
    route53::{
        CallerReference, CanonicalName, Change, Failover, HealthCheck, HealthCheckConfig, HealthCheckId,
        HostedZone, RecordData, RecordSet, RecordType, Routing,
    },
};

#[derive(Clone, Debug, Wire)]
pub(crate) struct VpcShape {
    #[wire("VPCRegion")]
    pub vpc_region: Option<String>,
    #[wire("VPCId")]
    pub vpc_id: Option<VpcId>,
}

#[derive(Clone, Debug, Default, Wire)]
pub(crate) struct ZoneConfig {
    pub comment: Option<String>,
    pub private_zone: Option<bool>,
}

#[derive(Debug, Wire)]
pub(crate) struct ZoneShape {
    pub id: String,
    pub name: CanonicalName,
    pub caller_reference: CallerReference,
    pub config: ZoneConfig,
    pub resource_record_set_count: usize,
    pub linked_service: Option<LinkedService>,
}

#[derive(Debug, Wire)]
pub(crate) struct LinkedService {
    pub service_principal: ServicePrincipal,
}

#[derive(Debug, Wire)]
pub(crate) struct DelegationSet {
    pub name_servers: Vec<String>,
}

#[derive(Debug, Wire)]
pub(crate) struct ChangeInfo {
    pub id: String,
    pub status: ChangeStatus,
    pub submitted_at: Timestamp,
    pub comment: Option<String>,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct RecordSetShape {
    pub name: String,
    pub r#type: RRType,
    pub set_identifier: Option<String>,
    pub weight: Option<u16>,
    pub failover: Option<Failover>,
    pub multi_value_answer: Option<bool>,
    #[wire("TTL")]
    pub ttl: Option<u32>,
    pub resource_records: Option<Vec<ResourceRecord>>,
    pub alias_target: Option<AliasTarget>,
    pub health_check_id: Option<HealthCheckId>,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct ResourceRecord {
    pub value: String,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct AliasTarget {
    pub hosted_zone_id: String,
    #[wire("DNSName")]
    pub dns_name: String,
    pub evaluate_target_health: bool,
}

pub(crate) fn zone(image: &Image, row: &HostedZone) -> ZoneShape {
    let prefix = format!("{}/", row.id);
    ZoneShape {
        id: format!("/hostedzone/{}", row.id),
        name: row.name.clone(),
        caller_reference: row.caller_reference.clone(),
        config: ZoneConfig { comment: row.comment.clone(), private_zone: Some(row.private) },
        resource_record_set_count: image.prefix::<RecordSet>(&prefix).count(),
        linked_service: row
            .linked_service
            .clone()
            .map(|service_principal| LinkedService { service_principal }),
    }
}

/// Only public zones have one: a private zone has no delegation.
pub(crate) fn delegation_set(row: &HostedZone) -> Option<DelegationSet> {
    let name_servers = vec![system::NAME_SERVER.trim_end_matches('.').to_owned()];
    (!row.private).then_some(DelegationSet { name_servers })
}

pub(crate) fn vpcs(row: &HostedZone, config: &Config) -> Vec<VpcShape> {
    let shape = |id: &VpcId| VpcShape { vpc_region: Some(config.region.clone()), vpc_id: Some(id.clone()) };
    row.vpcs.iter().map(shape).collect()
}

pub(crate) fn change_info(row: &Change, status: ChangeStatus) -> ChangeInfo {
    ChangeInfo {
        id: format!("/change/{}", row.id),
        status,
        submitted_at: row.submitted,
        comment: row.comment.clone(),
    }
}

/// AWS's record type for a served one.
pub(crate) fn record_type(kind: RecordType) -> RRType {
    match kind {
        RecordType::A => RRType::A,
        RecordType::Aaaa => RRType::Aaaa,
        RecordType::Caa => RRType::Caa,
        RecordType::Cname => RRType::Cname,
        RecordType::Mx => RRType::Mx,
        RecordType::Ns => RRType::Ns,
        RecordType::Ptr => RRType::Ptr,
        RecordType::Soa => RRType::Soa,
        RecordType::Srv => RRType::Srv,
        RecordType::Txt => RRType::Txt,
    }
}

/// The served type for AWS's record type, if there is one.
pub(crate) fn served_type(named: RRType) -> Result<RecordType, AwsError> {
    let unknown = |_| {
        let served = RecordType::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
        AwsError::not_supported(format_args!("The record type {named}"))
            .hint(format_args!("The supported types are {served}."))
    };
    named.as_str().parse().map_err(unknown)
}

pub(crate) fn record_set(row: &RecordSet) -> RecordSetShape {
    let mut shape = RecordSetShape {
        name: row.name.to_string(),
        r#type: record_type(row.kind),
        set_identifier: row.routing.set_identifier().map(str::to_owned),
        weight: None,
        failover: None,
        multi_value_answer: None,
        ttl: None,
        resource_records: None,
        alias_target: None,
        health_check_id: row.health_check.clone(),
    };
    match &row.routing {
        Routing::Simple => {}
        Routing::Weighted { weight, .. } => shape.weight = Some(u16::from(*weight)),
        Routing::Multivalue { .. } => shape.multi_value_answer = Some(true),
        Routing::Failover { failover, .. } => shape.failover = Some(*failover),
    }
    match &row.data {
        RecordData::Values { ttl_secs, values } => {
            shape.ttl = Some(*ttl_secs);
            shape.resource_records =
                Some(values.iter().map(|v| ResourceRecord { value: v.clone() }).collect());
        }
        RecordData::Alias { zone, target, evaluate_target_health } => {
            shape.alias_target = Some(AliasTarget {
                hosted_zone_id: zone.to_string(),
                dns_name: target.to_string(),
                evaluate_target_health: *evaluate_target_health,
            });
        }
    }
    shape
}

#[derive(Debug, Wire)]
pub(crate) struct HealthCheckShape {
    pub id: HealthCheckId,
    pub caller_reference: CallerReference,
    pub health_check_config: HealthCheckConfig,
    pub health_check_version: u64,
}

pub(crate) fn health_check(row: &HealthCheck) -> HealthCheckShape {
    HealthCheckShape {
        id: row.id.clone(),
        caller_reference: row.caller_reference.clone(),
        health_check_config: row.config.clone(),
        health_check_version: row.version,
    }
}

#[derive(Debug, Wire)]
pub(crate) struct Observation {
    pub status_report: StatusReport,
}

#[derive(Debug, Wire)]
pub(crate) struct StatusReport {
    pub status: String,
    pub checked_time: Timestamp,
}

pub(crate) fn observation(status: String, checked_time: Timestamp) -> Observation {
    Observation { status_report: StatusReport { status, checked_time } }
}

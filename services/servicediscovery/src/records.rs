//! The record sets of a service's instances.
//!
//! [`wanted`] computes them from the rows, [`apply`] compares them with the record sets that exist and sends the difference to Route
//! 53. So every operation that changes instances, their health or the service's DNS configuration ends in the same way.

use crate::{Error, rules};
use escale_base::{AwsError, ErrorKind, limits::discovery as limits};
use escale_requests::route53::{
    ChangeAction, ChangeBatch, ChangeResourceRecordSets, RecordChange, ResourceRecord, ResourceRecordSet,
    change_id,
};
use escale_service::{Also, Cx};
use escale_store::Image;
use escale_tables::route53::RecordType;
use escale_tables::{
    route53::{ChangeId, HostedZoneId, RecordData, RecordSet, Routing},
    servicediscovery::{
        DiscoveryService, DiscoveryServiceName, DnsConfig, DnsRecordType, Instance, Namespace, RoutingPolicy,
    },
};
use std::collections::BTreeSet;

/// The attributes of an instance that have a meaning for DNS.
pub(crate) const IPV4: &str = "AWS_INSTANCE_IPV4";
pub(crate) const IPV6: &str = "AWS_INSTANCE_IPV6";
pub(crate) const CNAME: &str = "AWS_INSTANCE_CNAME";
pub(crate) const PORT: &str = "AWS_INSTANCE_PORT";

/// The permission to change the records of a service, if it has any, as AWS requires it of the caller.
///
/// Source: <https://docs.aws.amazon.com/cloud-map/latest/dg/cloud-map-api-permissions-ref.html>
pub(crate) fn permission(cx: &Cx<'_>, service: &str) -> Vec<Also> {
    let zone = || {
        let service = rules::service(cx.tx, service).ok()?;
        service.dns.as_ref()?;
        Some(rules::namespace(cx.tx, &service.namespace).ok()?.dns.as_ref()?.zone.clone())
    };
    zone().map(|zone| Also::new("route53:ChangeResourceRecordSets", [zone_arn(&zone)])).into_iter().collect()
}

pub(crate) fn zone_arn(zone: &HostedZoneId) -> String {
    escale_base::Arn::new("route53", "", "", format!("hostedzone/{zone}")).to_string()
}

/// The domain name of a service, with a final dot.
pub(crate) fn name_of(service: &DiscoveryServiceName, namespace: &Namespace) -> String {
    let zone = namespace.name.trim_end_matches('.').to_lowercase();
    match service.as_str() {
        "." => format!("{zone}."),
        name => format!("{}.{zone}.", name.to_lowercase()),
    }
}

/// Makes the record sets of a service those of its instances. Returns the last change, or none if nothing differed.
pub(crate) fn apply(cx: &mut Cx<'_>, service: &DiscoveryService) -> Result<Option<ChangeId>, Error> {
    let namespace = rules::namespace(cx.tx, &service.namespace)?;
    let Some(dns) = &namespace.dns else { return Ok(None) };
    let wanted = wanted(cx.tx, service, &namespace);
    let current = current(cx.tx, service, &namespace, &dns.zone);
    let change = |action, set: &ResourceRecordSet| RecordChange { action, resource_record_set: set.clone() };
    let removed = current.difference(&wanted).map(|set| change(ChangeAction::Delete, set));
    let added = wanted.difference(&current).map(|set| change(ChangeAction::Create, set));
    // Removals first: a name may change from one type to another that excludes it.
    let changes: Vec<RecordChange> = removed.chain(added).collect();
    let mut last = None;
    for part in changes.chunks(limits::CHANGES_PER_CALL) {
        let change_batch = ChangeBatch { changes: part.to_vec() };
        let request = ChangeResourceRecordSets { hosted_zone_id: dns.zone.clone(), change_batch };
        let changed = cx.call_as(rules::PRINCIPAL, request).map_err(refused)?;
        last = Some(change_id(&changed.change_info.id));
    }
    Ok(last)
}

/// An instance that Route 53 does not accept, for example because its name is not a host's name, is this request's mistake.
pub(crate) fn refused(error: AwsError) -> Error {
    match error.kind {
        ErrorKind::Invalid | ErrorKind::AlreadyExists => Error::Invalid(error.message),
        _ => Error::Aws(error),
    }
}

/// The record sets that exist: those at the service's name, and the hosts that its SRV records name. The name of the service may
/// also be that of a host of another service, whose record sets are simple ones.
fn current(
    image: &Image,
    service: &DiscoveryService,
    namespace: &Namespace,
    zone: &HostedZoneId,
) -> BTreeSet<ResourceRecordSet> {
    let at = |name: &str| -> Vec<ResourceRecordSet> {
        let prefix = format!("{zone}/{}/", RecordSet::reversed(name));
        image.prefix::<RecordSet>(&prefix).filter_map(|set| written(&set)).collect()
    };
    let own: Vec<_> = at(&name_of(&service.name, namespace));
    let own: BTreeSet<_> = own.into_iter().filter(|set| set.set_identifier.is_some()).collect();
    let values = own.iter().filter(|set| set.r#type == RecordType::Srv).flat_map(|set| &set.resource_records);
    let hosts: BTreeSet<&str> = values.filter_map(|record| record.value.split(' ').next_back()).collect();
    let hosts = hosts.into_iter().flat_map(at).filter(|set| set.set_identifier.is_none());
    let hosts: Vec<_> = hosts.collect();
    own.into_iter().chain(hosts).collect()
}

/// A record set as a request has it.
fn written(set: &RecordSet) -> Option<ResourceRecordSet> {
    let RecordData::Values { ttl_secs, values } = &set.data else { return None };
    let (weight, multi_value_answer) = match &set.routing {
        Routing::Simple => (None, None),
        Routing::Weighted { weight, .. } => (Some(u16::from(*weight)), None),
        Routing::Multivalue { .. } => (None, Some(true)),
        // Cloud Map writes no such set, and nobody else writes into its zones.
        Routing::Failover { .. } => return None,
    };
    Some(ResourceRecordSet {
        name: set.name.to_string(),
        r#type: set.kind,
        set_identifier: set.routing.set_identifier().map(str::to_owned),
        weight,
        multi_value_answer,
        ttl: *ttl_secs,
        resource_records: values.iter().map(|value| ResourceRecord { value: value.clone() }).collect(),
    })
}

/// The record sets that the instances need. As on AWS, DNS answers with the healthy instances, and with all of them if none is
/// healthy.
fn wanted(image: &Image, service: &DiscoveryService, namespace: &Namespace) -> BTreeSet<ResourceRecordSet> {
    let Some(dns) = &service.dns else { return BTreeSet::new() };
    let all = rules::instances(image, &service.id);
    let is_any_healthy = all.iter().any(|instance| instance.is_healthy());
    let answered = all.iter().filter(|instance| !is_any_healthy || instance.is_healthy());
    let name = name_of(&service.name, namespace);
    answered.flat_map(|instance| of_instance(dns, &name, instance)).collect()
}

fn of_instance(dns: &DnsConfig, name: &str, instance: &Instance) -> Vec<ResourceRecordSet> {
    let attribute = |key: &str| instance.attributes.get(key).cloned();
    let host = format!("{}.{name}", instance.id.to_lowercase());
    let mut sets = Vec::new();
    for record in &dns.records {
        let simple = |name: &str, kind, value| ResourceRecordSet {
            name: name.to_owned(),
            r#type: kind,
            set_identifier: None,
            weight: None,
            multi_value_answer: None,
            ttl: record.ttl_secs,
            resource_records: vec![ResourceRecord { value }],
        };
        let routed = |kind, value| ResourceRecordSet {
            set_identifier: Some(instance.id.to_string()),
            weight: (dns.routing == RoutingPolicy::Weighted).then_some(1),
            multi_value_answer: (dns.routing == RoutingPolicy::Multivalue).then_some(true),
            ..simple(name, kind, value)
        };
        match record.kind {
            DnsRecordType::A => sets.extend(attribute(IPV4).map(|ip| routed(RecordType::A, ip))),
            DnsRecordType::Aaaa => sets.extend(attribute(IPV6).map(|ip| routed(RecordType::Aaaa, ip))),
            DnsRecordType::Cname => sets.extend(attribute(CNAME).map(|to| routed(RecordType::Cname, to))),
            DnsRecordType::Srv => {
                let value = attribute(PORT).map(|port| format!("1 1 {port} {host}"));
                sets.extend(value.map(|value| routed(RecordType::Srv, value)));
                // The host that the SRV record names.
                sets.extend(attribute(IPV4).map(|ip| simple(&host, RecordType::A, ip)));
                sets.extend(attribute(IPV6).map(|ip| simple(&host, RecordType::Aaaa, ip)));
            }
        }
    }
    sets
}

//! One record set of a change: conversion from the API's shape to a row, and the checks that need no other set.

use crate::{
    Error, names, rules,
    shapes::{self, RecordSetShape},
    system,
};
use escale_base::AwsError;
use escale_service::Config;
use escale_store::Image;
use escale_tables::route53::{
    CanonicalName, HostedZone, HostedZoneId, RecordData, RecordSet, RecordType, Routing,
};
use std::net::{Ipv4Addr, Ipv6Addr};

escale_base::choice! {
    pub(crate) enum Action { Create = "CREATE", Delete = "DELETE", Upsert = "UPSERT" }
}

pub(crate) struct Change {
    pub(crate) action: Action,
    pub(crate) set: RecordSet,
}

impl Change {
    pub(crate) fn values(&self) -> &[String] {
        match &self.set.data {
            RecordData::Values { values, .. } => values,
            RecordData::Alias { .. } => &[],
        }
    }
}

/// Reads a change. As on AWS, a malformed change fails the request with InvalidInput, before the batch is checked.
pub(crate) fn read(
    config: &Config,
    zone: &HostedZone,
    action: Action,
    shape: RecordSetShape,
) -> Result<Change, Error> {
    let id = shape.set_identifier.as_deref().unwrap_or("null");
    let place = format!(
        "in Change with [Action={action}, Name={}, Type={}, SetIdentifier={id}]",
        shape.name, shape.r#type
    );
    let invalid = |what: &str| Error::InvalidInput(format!("Invalid request: {what} {place}"));
    let kind = shapes::served_type(shape.r#type)?;
    let name = rules::domain_name(&shape.name)?;
    let policies = "Expected exactly one of [Weight, Failover, MultiValueAnswer], but found";
    let is_multivalue = shape.multi_value_answer.unwrap_or(false);
    let routing = match (shape.weight, shape.failover, is_multivalue, shape.set_identifier) {
        (None, None, false, None) => Routing::Simple,
        (Some(weight), None, false, Some(set_identifier)) => {
            let weight = u8::try_from(weight).map_err(|_| invalid("Weight is not from 0 to 255"))?;
            Routing::Weighted { set_identifier, weight }
        }
        (None, Some(failover), false, Some(set_identifier)) => Routing::Failover { set_identifier, failover },
        (None, None, true, Some(set_identifier)) => Routing::Multivalue { set_identifier },
        (None, None, false, Some(_)) => return Err(invalid(&format!("{policies} none"))),
        (Some(_), None, false, None) | (None, Some(_), false, None) | (None, None, true, None) => {
            return Err(invalid("Missing field 'SetIdentifier'"));
        }
        _ => return Err(invalid(&format!("{policies} more than one"))),
    };
    let form = "Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords]]";
    let data = match (shape.alias_target, shape.ttl, shape.resource_records) {
        (Some(alias), None, None) => {
            // AWS's console and tools add this prefix to load balancers' names.
            let target = rules::domain_name(alias.dns_name.trim_start_matches("dualstack."))?;
            if matches!(routing, Routing::Multivalue { .. }) {
                return Err(invalid("A multivalue answer record set cannot have an AliasTarget"));
            }
            let evaluate_target_health = alias.evaluate_target_health;
            let zone_id = rules::zone_id(&alias.hosted_zone_id);
            // A deletion only has to repeat the current values.
            if zone_id != zone.id && !system::is_alias_target(&target, config) && action != Action::Delete {
                return Err(foreign_alias(zone, &zone_id, &target, kind));
            }
            RecordData::Alias { zone: zone_id, target, evaluate_target_health }
        }
        (None, Some(ttl_secs), Some(records)) if !records.is_empty() => {
            RecordData::Values { ttl_secs, values: records.into_iter().map(|r| r.value).collect() }
        }
        (None, _, _) => return Err(invalid(&format!("{form}, but found none"))),
        (Some(_), _, _) => return Err(invalid(&format!("{form}, but found more than one"))),
    };
    let health_check = shape.health_check_id;
    Ok(Change { action, set: RecordSet { zone: zone.id.clone(), name, kind, data, routing, health_check } })
}

/// The error for an alias to a name that is neither in the zone itself nor that of a load balancer, distribution or website.
fn foreign_alias(zone: &HostedZone, named: &HostedZoneId, target: &CanonicalName, kind: RecordType) -> Error {
    if names::within(target, &zone.name) {
        return Error::InvalidBatch(vec![format!(
            "Tried to create an alias that targets {target}, type {kind} in zone {named}, but the alias target name does \
             not lie within the target zone"
        )]);
    }
    AwsError::not_supported(format_args!("An alias to {target}"))
        .hint("An alias can have a load balancer, a distribution, a website of S3 in this region or a name of the same zone as its target.")
        .into()
}

/// The fault of the set itself, without regard to other sets.
pub(crate) fn fault(zone: &HostedZone, set: &RecordSet) -> Option<String> {
    let (name, kind) = (&set.name, set.kind);
    if !names::within(name, &zone.name) {
        return Some(format!("RRSet with DNS name {name} is not permitted in zone {}", zone.name));
    }
    let at_apex = *name == zone.name;
    if at_apex && kind == RecordType::Cname {
        return Some(format!(
            "RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {}",
            zone.name
        ));
    }
    if !at_apex && kind == RecordType::Soa {
        return Some(format!("RRSet of type SOA with DNS name {name} is not permitted below the apex"));
    }
    let RecordData::Values { values, .. } = &set.data else { return None };
    let (code, why, bad) = match kind {
        RecordType::A => {
            let bad = values.iter().find(|v| v.parse::<Ipv4Addr>().is_err())?;
            ("ARRDATAIllegalIPv4Address", "Value is not a valid IPv4 address", bad)
        }
        RecordType::Aaaa => {
            let bad = values.iter().find(|v| v.parse::<Ipv6Addr>().is_err())?;
            ("AAAARRDATAIllegalIPv6Address", "Value is not a valid IPv6 address", bad)
        }
        RecordType::Txt => {
            let bad = values.iter().find(|v| !v.trim_start().starts_with('"'))?;
            ("InvalidCharacterString", "Value should be enclosed in quotation marks", bad)
        }
        // The compiler of the DNS plane checks the values of the other types.
        _ => return None,
    };
    Some(format!("Invalid Resource Record: FATAL problem: {code} ({why}) encountered with '{bad}'"))
}

/// The fault of an alias whose target in the same zone does not exist with the same type.
pub(crate) fn missing_target(image: &Image, zone: &HostedZone, set: &RecordSet) -> Option<String> {
    let RecordData::Alias { zone: target_zone, target, .. } = &set.data else { return None };
    if *target_zone != zone.id {
        return None;
    }
    let kind = set.kind;
    let what =
        format!("Tried to create an alias that targets {target}, type {kind} in zone {target_zone}, but");
    if !names::within(target, &zone.name) {
        return Some(format!("{what} the alias target name does not lie within the target zone"));
    }
    let at = |name: &str| format!("{}/{}/{kind}/", zone.id, RecordSet::reversed(name));
    // A wildcard record also answers the target's name.
    let wildcards = target.match_indices('.').map(|(dot, _)| format!("\\052{}", &target[dot..]));
    let found = [target.to_string()]
        .into_iter()
        .chain(wildcards)
        .any(|name| image.prefix::<RecordSet>(&at(&name)).next().is_some());
    (!found).then(|| format!("{what} that target was not found"))
}

/// The set in the wording of AWS's messages.
pub(crate) fn described(set: &RecordSet) -> String {
    let identifier = set.routing.set_identifier().map(|id| format!(", set identifier='{id}'"));
    format!("[name='{}', type='{}'{}]", set.name, set.kind, identifier.unwrap_or_default())
}

/// Whether both sets are equal apart from the order of their values: a deletion must repeat the current values.
pub(crate) fn same(a: &RecordSet, b: &RecordSet) -> bool {
    let sorted = |set: &RecordSet| {
        let mut set = set.clone();
        if let RecordData::Values { values, .. } = &mut set.data {
            values.sort();
        }
        set
    };
    sorted(a) == sorted(b)
}

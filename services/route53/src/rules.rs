//! Checks, lookups and changes that operations share.

use crate::{Error, names, shapes, status, system};
use escale_base::{Arn, limits};
use escale_service::{Config, Cx, Principal};
use escale_store::Image;
use escale_tables::{
    ServicePrincipal,
    ec2::{Vpc, VpcId},
    route53::{CanonicalName, Change, ChangeCounter, ChangeId, HostedZone, HostedZoneId},
};
use std::sync::Arc;

/// The id without its prefix. Clients may send an id as responses have it: `/hostedzone/Z…`.
fn bare(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

pub(crate) fn zone_id(text: &str) -> HostedZoneId {
    bare(text).into()
}

pub(crate) fn change_id(text: &str) -> ChangeId {
    bare(text).into()
}

pub(crate) fn zone(image: &Image, id: &str) -> Result<Arc<HostedZone>, Error> {
    let id = zone_id(id);
    image.get::<HostedZone>(&id).ok_or(Error::NoZone(id))
}

/// The zone of a request that changes it. A zone that another service created is refused: that service would overwrite the
/// change, or fail because of it.
///
/// Source: <https://docs.aws.amazon.com/Route53/latest/APIReference/API_LinkedService.html>
pub(crate) fn own_zone(cx: &Cx<'_>, id: &str) -> Result<Arc<HostedZone>, Error> {
    let zone = zone(cx.tx, id)?;
    match &zone.linked_service {
        Some(linked) if service(cx).as_ref() != Some(linked) => {
            Err(Error::Linked(zone.id.clone(), linked.clone()))
        }
        _ => Ok(zone),
    }
}

/// The service that calls in its own name.
pub(crate) fn service(cx: &Cx<'_>) -> Option<ServicePrincipal> {
    match &cx.caller.principal {
        Principal::Service(name) => Some(name.as_str().into()),
        _ => None,
    }
}

/// The zone's ARN for authorization.
pub(crate) fn zone_arn(id: &str) -> String {
    Arn::new("route53", "", "", format!("hostedzone/{}", zone_id(id))).to_string()
}

pub(crate) fn domain_name(text: &str) -> Result<CanonicalName, Error> {
    names::canonical(text).map_err(|why| Error::InvalidDomainName(text.to_owned(), why))
}

/// The VPC in a request. It must exist in this region.
pub(crate) fn vpc(cx: &Cx<'_>, named: &shapes::VpcShape) -> Result<VpcId, Error> {
    let region = named.vpc_region.clone().unwrap_or_else(|| cx.config.region.clone());
    let id = named.vpc_id.clone().unwrap_or_else(|| VpcId::from(""));
    if region != cx.config.region || !cx.tx.has::<Vpc>(id.as_str()) {
        return Err(Error::InvalidVpc(id, region));
    }
    Ok(id)
}

/// Refuses a second zone with the same name for the same servers: public, or of the same VPC.
pub(crate) fn no_conflict(
    image: &Image,
    config: &Config,
    name: &CanonicalName,
    vpc: Option<&VpcId>,
) -> Result<(), Error> {
    if system::is_apex(name, config) {
        return Err(Error::ConflictingDomain(format!(
            "The zone {name} is reserved for the cloud's own names."
        )));
    }
    let same = image.scan::<HostedZone>().filter(|z| z.name == *name);
    let mut clash = same.filter(|z| match vpc {
        None => !z.private,
        Some(vpc) => z.private && z.vpcs.contains(vpc),
    });
    let Some(other) = clash.next() else { return Ok(()) };
    Err(Error::ConflictingDomain(match vpc {
        None => format!("The hosted zone {} has the same name {name}, and the same name servers.", other.id),
        Some(vpc) => format!(
            "The VPC {vpc} has already been associated with the hosted zone {} with the same domain name.",
            other.id
        ),
    }))
}

/// Records a change for `GetChange` and purges old ones.
pub(crate) fn record_change(cx: &mut Cx<'_>, comment: Option<String>) -> shapes::ChangeInfo {
    let oldest = cx.now.plus_ms(-limits::dns::CHANGES_KEPT_MS);
    let old: Vec<_> = cx.tx.scan::<Change>().filter(|c| c.submitted < oldest).map(|c| c.id.clone()).collect();
    for id in old {
        cx.tx.delete::<Change>(&id);
    }
    // The counter also wakes the reconciler, which then records the sequence as applied.
    let last = cx.tx.get::<ChangeCounter>(ChangeCounter::KEY).map_or(0, |c| c.last);
    let change = Change { id: Change::random_id(), sequence: last + 1, comment, submitted: cx.now };
    cx.tx.put(ChangeCounter { last: last + 1 });
    let info = shapes::change_info(&change, status::change(cx.tx, &change));
    cx.tx.put(change);
    info
}

/// Reads `MaxItems`, which the API has as a string.
pub(crate) fn max_items(text: Option<&str>, largest: usize) -> Result<usize, Error> {
    let Some(text) = text else { return Ok(largest) };
    match text.parse::<usize>() {
        Ok(n) if n > 0 => Ok(n.min(largest)),
        _ => Err(Error::InvalidInput(format!("MaxItems '{text}' is not a number from 1 to {largest}."))),
    }
}

/// The first page of `rest`, and the first item of the next page.
pub(crate) fn page<T>(rest: impl Iterator<Item = T>, size: usize) -> (Vec<T>, Option<T>) {
    let mut rest = rest;
    let items = rest.by_ref().take(size).collect();
    (items, rest.next())
}

//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListHostedZonesByName.html>

use crate::{Error, rules, shapes};
use escale_base::{Wire, limits};
use escale_service::{Cx, Operation};
use escale_tables::route53::{CanonicalName, HostedZone, HostedZoneId, RecordSet};

pub(crate) struct ListHostedZonesByName;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DNSName")]
    dns_name: Option<String>,
    hosted_zone_id: Option<String>,
    max_items: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    hosted_zones: Vec<shapes::ZoneShape>,
    #[wire("DNSName")]
    dns_name: Option<String>,
    hosted_zone_id: Option<String>,
    is_truncated: bool,
    #[wire("NextDNSName")]
    next_dns_name: Option<CanonicalName>,
    next_hosted_zone_id: Option<HostedZoneId>,
    max_items: String,
}

impl Operation for ListHostedZonesByName {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let size = rules::max_items(input.max_items.as_deref(), limits::dns::ZONES_PAGE)?;
        if input.hosted_zone_id.is_some() && input.dns_name.is_none() {
            return Err(Error::InvalidInput("HostedZoneId requires DNSName.".to_owned()));
        }
        let name = input.dns_name.as_deref().map(rules::domain_name).transpose()?;
        let place = |z: &HostedZone| (RecordSet::reversed(&z.name), z.id.clone());
        let from = (
            name.map(|n| RecordSet::reversed(&n)).unwrap_or_default(),
            input.hosted_zone_id.as_deref().map(rules::zone_id).unwrap_or_default(),
        );
        let mut rows: Vec<_> = cx.tx.scan::<HostedZone>().filter(|z| place(z) >= from).collect();
        rows.sort_by_cached_key(|z| place(z));
        let (rows, next) = rules::page(rows.into_iter(), size);
        Ok(Output {
            hosted_zones: rows.iter().map(|row| shapes::zone(cx.tx, row)).collect(),
            dns_name: input.dns_name,
            hosted_zone_id: input.hosted_zone_id,
            is_truncated: next.is_some(),
            next_dns_name: next.as_ref().map(|row| row.name.clone()),
            next_hosted_zone_id: next.map(|row| row.id.clone()),
            max_items: size.to_string(),
        })
    }
}

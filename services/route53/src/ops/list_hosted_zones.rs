//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListHostedZones.html>

use crate::{Error, rules, shapes};
use escale_base::{Wire, limits};
use escale_service::{Cx, Operation};
use escale_tables::route53::{HostedZone, HostedZoneId};

pub(crate) struct ListHostedZones;

#[derive(Wire)]
pub(crate) struct Input {
    marker: Option<String>,
    max_items: Option<String>,
    hosted_zone_type: Option<crate::choices::HostedZoneType>,
}

#[derive(Wire)]
pub(crate) struct Output {
    hosted_zones: Vec<shapes::ZoneShape>,
    marker: Option<String>,
    is_truncated: bool,
    next_marker: Option<HostedZoneId>,
    max_items: String,
}

impl Operation for ListHostedZones {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let size = rules::max_items(input.max_items.as_deref(), limits::dns::ZONES_PAGE)?;
        let private_only = input.hosted_zone_type.is_some();
        let from = input.marker.as_deref().map(rules::zone_id).unwrap_or_default();
        let rows = cx.tx.scan::<HostedZone>().filter(|z| z.id >= from && (z.private || !private_only));
        let (rows, next) = rules::page(rows, size);
        Ok(Output {
            hosted_zones: rows.iter().map(|row| shapes::zone(cx.tx, row)).collect(),
            marker: input.marker,
            is_truncated: next.is_some(),
            next_marker: next.map(|row| row.id.clone()),
            max_items: size.to_string(),
        })
    }
}

//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListResourceRecordSets.html>

use crate::choices::RRType;
use crate::{Error, rules, shapes};
use escale_base::{Wire, limits};
use escale_service::{Cx, Operation};
use escale_tables::route53::{CanonicalName, RecordSet};

pub(crate) struct ListResourceRecordSets;

#[derive(Wire)]
pub(crate) struct Input {
    hosted_zone_id: String,
    start_record_name: Option<String>,
    start_record_type: Option<RRType>,
    start_record_identifier: Option<String>,
    max_items: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) resource_record_sets: Vec<shapes::RecordSetShape>,
    is_truncated: bool,
    next_record_name: Option<CanonicalName>,
    next_record_type: Option<RRType>,
    next_record_identifier: Option<String>,
    max_items: String,
}

impl Operation for ListResourceRecordSets {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![rules::zone_arn(&input.hosted_zone_id)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let zone = rules::zone(cx.tx, &input.hosted_zone_id)?;
        let size = rules::max_items(input.max_items.as_deref(), limits::dns::RECORD_SETS_PAGE)?;
        let start = start(&input)?;
        let prefix = format!("{}/", zone.id);
        let sets = cx.tx.prefix::<RecordSet>(&prefix).filter(|set| place(set) >= start);
        let (sets, next) = rules::page(sets, size);
        Ok(Output {
            resource_record_sets: sets.iter().map(|set| shapes::record_set(set)).collect(),
            is_truncated: next.is_some(),
            next_record_name: next.as_ref().map(|set| set.name.clone()),
            next_record_type: next.as_ref().map(|set| shapes::record_type(set.kind)),
            next_record_identifier: next.and_then(|set| set.routing.set_identifier().map(str::to_owned)),
            max_items: size.to_string(),
        })
    }
}

/// The order of the list: by labels from the right, then by type, then by identifier.
type Position = (String, String, String);

fn place(set: &RecordSet) -> Position {
    let identifier = set.routing.set_identifier().unwrap_or_default();
    (RecordSet::reversed(&set.name), set.kind.to_string(), identifier.to_owned())
}

fn start(input: &Input) -> Result<Position, Error> {
    let (name, kind, identifier) =
        (&input.start_record_name, input.start_record_type, &input.start_record_identifier);
    if (kind.is_some() && name.is_none()) || (identifier.is_some() && kind.is_none()) {
        let why = "The input is not valid: StartRecordType requires StartRecordName, and StartRecordIdentifier requires both.";
        return Err(Error::InvalidInput(why.to_owned()));
    }
    let name = name.as_deref().map(rules::domain_name).transpose()?;
    Ok((
        name.map(|n| RecordSet::reversed(&n)).unwrap_or_default(),
        kind.map(|k| k.to_string()).unwrap_or_default(),
        identifier.clone().unwrap_or_default(),
    ))
}

//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html>
//!
//! A batch is applied completely or not at all. The DNS plane's compiler checks the resulting zone, so every accepted zone
//! can be served.

use crate::{
    Error, compile, health,
    record::{self, Action, Change},
    rules, shapes,
};
use escale_base::{Wire, limits};
use escale_dns::{DnsPlane, Spec};
use escale_service::{Cx, Operation};
use escale_store::{Image, Row};
use escale_tables::route53::{Failover, HostedZone, RecordSet, RecordType, Routing};
use std::{collections::BTreeSet, sync::Arc};

pub(crate) struct ChangeResourceRecordSets;

#[derive(Wire)]
pub(crate) struct Input {
    pub(crate) hosted_zone_id: String,
    pub(crate) change_batch: ChangeBatch,
}

#[derive(Wire)]
pub(crate) struct ChangeBatch {
    pub(crate) comment: Option<String>,
    pub(crate) changes: Vec<ChangeShape>,
}

#[derive(Wire)]
pub(crate) struct ChangeShape {
    pub(crate) action: Action,
    pub(crate) resource_record_set: shapes::RecordSetShape,
}

#[derive(Wire)]
pub(crate) struct Output {
    pub(crate) change_info: shapes::ChangeInfo,
}

impl Operation for ChangeResourceRecordSets {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, _: &Cx<'_>) -> Vec<String> {
        vec![rules::zone_arn(&input.hosted_zone_id)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let zone = rules::own_zone(cx, &input.hosted_zone_id)?;
        let read = |c: ChangeShape| record::read(cx.config, &zone, c.action, c.resource_record_set);
        let changes = input.change_batch.changes.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        // All faults are collected: AWS reports them together.
        let mut faults = Vec::from_iter(size(&changes));
        faults.extend(repeated(&changes));
        for change in &changes {
            if let Some(id) = change.set.health_check.as_ref().filter(|_| change.action != Action::Delete) {
                health::find(cx.tx, id)?;
            }
            faults.extend(apply(cx, &zone, change));
        }
        // Checked after all changes: a batch may replace a CNAME by other types.
        let touched: BTreeSet<&str> = changes.iter().map(|c| c.set.name.as_str()).collect();
        for name in touched {
            faults.extend(conflicts(cx.tx, &zone, name));
        }
        for change in changes.iter().filter(|c| c.action != Action::Delete) {
            faults.extend(record::missing_target(cx.tx, &zone, &change.set));
        }
        // The compiler would report the same faults again, in other words.
        if faults.is_empty() {
            faults.extend(not_servable(cx.tx, &zone));
        }
        if !faults.is_empty() {
            return Err(Error::InvalidBatch(faults));
        }
        Ok(Output { change_info: rules::record_change(cx, input.change_batch.comment) })
    }
}

fn size(changes: &[Change]) -> Option<String> {
    // AWS counts an UPSERT twice.
    let times = |c: &Change| if c.action == Action::Upsert { 2 } else { 1 };
    let records: usize = changes.iter().map(|c| times(c) * c.values().len().max(1)).sum();
    let chars: usize =
        changes.iter().map(|c| times(c) * c.values().iter().map(String::len).sum::<usize>()).sum();
    if records > limits::dns::BATCH_RECORDS {
        return Some(format!("Number of records limit of {} exceeded.", limits::dns::BATCH_RECORDS));
    }
    let most = limits::dns::BATCH_VALUE_CHARS;
    (chars > most).then(|| format!("Number of characters limit of {most} exceeded."))
}

/// A batch may delete and recreate a record set; any other repetition is an error.
fn repeated(changes: &[Change]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let again = changes.iter().filter(|c| !seen.insert((c.set.key(), c.action == Action::Delete)));
    let faults = again.map(|c| {
        let (kind, name) = (c.set.kind, &c.set.name);
        format!("The request contains an invalid set of changes for a resource record set '{kind} {name}'")
    });
    faults.collect()
}

fn apply(cx: &mut Cx<'_>, zone: &HostedZone, change: &Change) -> Option<String> {
    let set = &change.set;
    let key = set.key();
    let what = record::described(set);
    let old = cx.tx.get::<RecordSet>(&key);
    match (change.action, old) {
        (Action::Create, Some(_)) => {
            return Some(format!("Tried to create resource record set {what} but it already exists"));
        }
        (Action::Delete, None) => {
            return Some(format!("Tried to delete resource record set {what} but it was not found"));
        }
        (Action::Delete, Some(old)) if !record::same(&old, set) => {
            return Some(format!(
                "Tried to delete resource record set {what} but the values provided do not match the current values"
            ));
        }
        (Action::Delete, Some(_)) => {
            cx.tx.delete::<RecordSet>(&key);
        }
        (Action::Create | Action::Upsert, _) => cx.tx.put(set.clone()),
    }
    record::fault(zone, set)
}

/// Record sets that exclude each other at one name, and missing ones at the zone's own name.
fn conflicts(image: &Image, zone: &HostedZone, name: &str) -> Vec<String> {
    let prefix = format!("{}/{}/", zone.id, RecordSet::reversed(name));
    let sets: Vec<_> = image.prefix::<RecordSet>(&prefix).collect();
    let mut faults = Vec::new();
    let cname = sets.iter().any(|s| s.kind == RecordType::Cname);
    if let Some(other) = sets.iter().find(|s| cname && s.kind != RecordType::Cname) {
        faults.push(format!(
            "RRSet of type CNAME with DNS name {name} is not permitted as it conflicts with other records with the same \
             DNS name in zone {} ({})",
            zone.name, other.kind
        ));
    }
    for (i, set) in sets.iter().enumerate() {
        let form = std::mem::discriminant::<Routing>(&set.routing);
        let mut before = sets[..i].iter().filter(|s| s.kind == set.kind);
        if before.any(|s| std::mem::discriminant(&s.routing) != form) {
            let (kind, id) = (set.kind, set.routing.set_identifier().unwrap_or("null"));
            faults.push(format!(
                "RRSet with DNS name {name}, type {kind}, SetIdentifier {id} cannot be created as other RRSets exist with \
                 the same name and type and another routing policy."
            ));
        }
    }
    for failover in Failover::ALL {
        let has = |set: &&Arc<RecordSet>| matches!(&set.routing, Routing::Failover { failover: f, .. } if f == failover);
        let found: Vec<_> = sets.iter().filter(has).collect();
        let twice = found.iter().enumerate().find(|(i, set)| found[..*i].iter().any(|s| s.kind == set.kind));
        if let Some((_, set)) = twice {
            faults.push(format!(
                "RRSet with DNS name {name}, type {} cannot be created as another RRSet exists with the same name, type and \
                 the failover {failover}.",
                set.kind
            ));
        }
    }
    if name == zone.name {
        let count = |kind| sets.iter().filter(|s| s.kind == kind).count();
        if count(RecordType::Soa) != 1 {
            faults.push("A HostedZone must contain exactly one SOA record.".to_owned());
        }
        if count(RecordType::Ns) == 0 {
            faults.push("A HostedZone must contain at least one NS record for the zone itself.".to_owned());
        }
    }
    faults
}

/// The final check: compiles the zone in a plane of its own, which serves nothing.
fn not_servable(image: &Image, zone: &HostedZone) -> Option<String> {
    let spec = Spec { public: vec![Arc::new(compile::zone(image, zone))], ..Spec::default() };
    let error = DnsPlane::new().load(spec).err()?;
    Some(format!("Invalid Resource Record: FATAL problem: {error}"))
}

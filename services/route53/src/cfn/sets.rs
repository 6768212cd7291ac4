//! `AWS::Route53::RecordSet` and `AWS::Route53::RecordSetGroup`.

use super::{CHANGE, SPELLINGS, Spellings};
use crate::{
    choices::RRType,
    ops::{
        change_resource_record_sets::{self, ChangeBatch, ChangeResourceRecordSets, ChangeShape},
        list_resource_record_sets::ListResourceRecordSets,
    },
    record::{self, Action},
    rules,
    shapes::{self, AliasTarget, RecordSetShape, ResourceRecord},
};
use escale_base::{
    AwsError, Wire,
    wire::{self, Map, Value},
};
use escale_service::{Created, Cx, InputDraft, Props, Readiness, Update};
use escale_store::{Image, Row};
use escale_tables::route53::{Failover, HealthCheckId, HostedZone, HostedZoneId, RecordSet};

pub(super) const PROPERTIES: &[&str] = &[
    "HostedZoneId",
    ZONE_NAME,
    "Comment",
    "Name",
    "Type",
    "TTL",
    "ResourceRecords",
    "AliasTarget",
    "SetIdentifier",
    "Weight",
    "Failover",
    "HealthCheckId",
    "MultiValueAnswer",
];

const ZONE_NAME: &str = "HostedZoneName";

/// The internal attribute with the keys of the record sets.
const SETS: &str = "RecordSetKeys";

/// A record set in a template. In the API its zone and comment belong to the whole batch.
#[derive(Wire)]
struct TemplateSet {
    name: String,
    r#type: RRType,
    set_identifier: Option<String>,
    weight: Option<u16>,
    failover: Option<Failover>,
    health_check_id: Option<HealthCheckId>,
    multi_value_answer: Option<bool>,
    #[wire("TTL")]
    ttl: Option<String>,
    resource_records: Option<Vec<String>>,
    alias_target: Option<TemplateAlias>,
    hosted_zone_id: Option<String>,
    hosted_zone_name: Option<String>,
    comment: Option<String>,
}

#[derive(Wire)]
struct TemplateAlias {
    hosted_zone_id: String,
    #[wire("DNSName")]
    dns_name: String,
    evaluate_target_health: Option<bool>,
}

pub(super) fn create_one(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let set = one(props)?;
    create(cx, props, Created::new(set.name.clone()), vec![set])
}

pub(super) fn create_group(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let created = Created::new(props.name_or_generated("GroupName", 128));
    create(cx, props, created, group(props)?)
}

fn one(props: &Props<'_>) -> Result<RecordSetShape, AwsError> {
    set_shape(props, &Value::Object(props.values.clone()))
}

fn group(props: &Props<'_>) -> Result<Vec<RecordSetShape>, AwsError> {
    let sets = props.read::<Vec<Value>>("RecordSets")?;
    sets.iter().map(|set| set_shape(props, set)).collect()
}

fn create(
    cx: &mut Cx<'_>,
    props: &Props<'_>,
    created: Created,
    sets: Vec<RecordSetShape>,
) -> Result<Created, AwsError> {
    let zone = zone_of(cx.tx, props)?;
    let created = described(cx, created, props, &zone, &sets)?;
    let changes = sets.into_iter().map(|set| (Action::Create, set)).collect();
    let made = change(cx, zone, props.read("Comment")?, changes)?;
    Ok(created.with_private(CHANGE, made.change_info.id))
}

/// Stores the keys and the spelling of names with the resource: deletions and updates must find the sets without the template.
fn described(
    cx: &Cx<'_>,
    created: Created,
    props: &Props<'_>,
    zone: &HostedZoneId,
    sets: &[RecordSetShape],
) -> Result<Created, AwsError> {
    let row = rules::zone(cx.tx, zone)?;
    let mut spellings = Spellings::default();
    if let Some(name) = props.str(ZONE_NAME) {
        spellings.add(name)?;
    }
    let mut keys = Vec::new();
    for set in sets {
        keys.push(record::read(cx.config, &row, Action::Create, set.clone())?.set.key());
        spellings.add(&set.name)?;
        if let Some(alias) = &set.alias_target {
            spellings.add(&alias.dns_name)?;
        }
    }
    Ok(created.with_private(SETS, keys).with_private(SPELLINGS, spellings.0))
}

pub(super) fn update_one(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    update_sets(cx, update, vec![one(update.after)?])
}

pub(super) fn update_group(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    update_sets(cx, update, group(update.after)?)
}

/// Changes all sets in one batch, so that no request finds a part of the change. The type and the identifier are parts of a set's
/// key: their change deletes the old set.
fn update_sets(cx: &mut Cx<'_>, update: &Update<'_>, sets: Vec<RecordSetShape>) -> Result<Created, AwsError> {
    let zone = zone_of(cx.tx, update.after)?;
    let created = described(cx, update.created.clone(), update.after, &zone, &sets)?;
    let old: Vec<&str> = keys(update.created).collect();
    let new: Vec<&str> = keys(&created).collect();
    let removed = old.iter().filter(|key| !new.contains(key));
    let removed = removed.filter_map(|key| cx.tx.get::<RecordSet>(key));
    let mut changes: Vec<_> = removed.map(|row| (Action::Delete, shapes::record_set(&row))).collect();
    // A set that is not the resource's own must not be overwritten.
    let action = |key: &&str| if old.contains(key) { Action::Upsert } else { Action::Create };
    changes.extend(new.iter().map(action).zip(sets));
    let made = change(cx, zone, update.after.read("Comment")?, changes)?;
    Ok(created.with_private(CHANGE, made.change_info.id))
}

fn change(
    cx: &mut Cx<'_>,
    zone: HostedZoneId,
    comment: Option<String>,
    changes: Vec<(Action, RecordSetShape)>,
) -> Result<change_resource_record_sets::Output, AwsError> {
    let one = |(action, resource_record_set)| ChangeShape { action, resource_record_set };
    let changes = changes.into_iter().map(one).collect();
    let change_batch = ChangeBatch { comment, changes };
    cx.call_own::<ChangeResourceRecordSets>(change_resource_record_sets::Input {
        hosted_zone_id: zone.into(),
        change_batch,
    })
}

fn set_shape(props: &Props<'_>, written: &Value) -> Result<RecordSetShape, AwsError> {
    // A mistyped or unsupported member must not be ignored silently.
    if let Some(odd) = wire::unread::<TemplateSet>(written).first() {
        return Err(AwsError::not_supported(format_args!("The property {odd} of a record set")));
    }
    let set = TemplateSet::read(written).map_err(|error| bad(props, &error.to_string()))?;
    let ttl = set.ttl.map(|ttl| ttl.parse().map_err(|_| bad(props, &format!("TTL: {ttl} is not a number"))));
    let alias = |alias: TemplateAlias| AliasTarget {
        hosted_zone_id: alias.hosted_zone_id,
        dns_name: alias.dns_name,
        evaluate_target_health: alias.evaluate_target_health.unwrap_or(false),
    };
    let records = |values: Vec<String>| values.into_iter().map(|value| ResourceRecord { value }).collect();
    Ok(RecordSetShape {
        name: set.name,
        r#type: set.r#type,
        set_identifier: set.set_identifier,
        weight: set.weight,
        failover: set.failover,
        health_check_id: set.health_check_id,
        multi_value_answer: set.multi_value_answer,
        ttl: ttl.transpose()?,
        resource_records: set.resource_records.map(records),
        alias_target: set.alias_target.map(alias),
    })
}

fn zone_of(image: &Image, props: &Props<'_>) -> Result<HostedZoneId, AwsError> {
    match (props.str("HostedZoneId"), props.str(ZONE_NAME)) {
        (Some(id), None) => Ok(rules::zone_id(id)),
        (None, Some(name)) => {
            let name = rules::domain_name(name)?;
            let found: Vec<_> = image.scan::<HostedZone>().filter(|z| z.name == name).collect();
            match found.as_slice() {
                [only] => Ok(only.id.clone()),
                [] => Err(bad(props, &format!("No hosted zones named {name} found"))),
                _ => Err(bad(props, &format!("Multiple hosted zones named {name} found"))),
            }
        }
        _ => Err(bad(props, "Exactly one of HostedZoneId and HostedZoneName must be specified")),
    }
}

fn bad(props: &Props<'_>, why: &str) -> AwsError {
    crate::Error::InvalidInput(format!("{}: {why}", props.logical_id)).into()
}

/// Deletes the record sets with their current values: DELETE needs these, and a client may have changed them.
pub(super) fn delete(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let rows: Vec<_> = keys(created).filter_map(|key| cx.tx.get::<RecordSet>(key)).collect();
    let Some(zone) = rows.first().map(|row| row.zone.clone()) else { return Ok(()) };
    let sets = rows.iter().map(|row| (Action::Delete, shapes::record_set(row))).collect();
    change(cx, zone, None, sets).map(drop)
}

pub(super) fn gone(image: &Image, created: &Created) -> Readiness {
    if keys(created).any(|key| image.has::<RecordSet>(key)) {
        Readiness::Pending("the record sets still exist".into())
    } else {
        Readiness::ready()
    }
}

fn keys(created: &Created) -> impl Iterator<Item = &str> {
    created.private_list(SETS)
}

pub(super) fn read_one(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let Some((mut properties, mut sets)) = read(cx, created)? else { return Ok(None) };
    if let Some(Value::Object(set)) = sets.pop() {
        properties.extend(set);
    }
    Ok(Some(properties))
}

pub(super) fn read_group(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let Some((mut properties, sets)) = read(cx, created)? else { return Ok(None) };
    properties.insert("RecordSets".into(), Value::Array(sets));
    Ok(Some(properties))
}

type Found = (Map<String, Value>, Vec<Value>);

/// The zone's properties and the existing record sets, in the form of templates. The comment is not read: it belongs to the
/// change, not to the sets.
fn read(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Found>, AwsError> {
    let spellings = Spellings::of(created);
    let rows: Vec<_> = keys(created).filter_map(|key| cx.tx.get::<RecordSet>(key)).collect();
    let Some(zone) = rows.first().map(|row| row.zone.clone()) else { return Ok(None) };
    let mut sets = Vec::new();
    for row in &rows {
        let input = InputDraft::<ListResourceRecordSets>::new().with("HostedZoneId", &zone);
        let input = input.with("StartRecordName", &row.name).with("MaxItems", &"1".to_owned());
        let input = input.with("StartRecordType", &shapes::record_type(row.kind));
        let identifier = row.routing.set_identifier().map(str::to_owned);
        let listed = input.with("StartRecordIdentifier", &identifier).call(cx)?;
        sets.extend(listed.resource_record_sets.into_iter().map(|set| template_set(set, &spellings).write()));
    }
    let name = rules::zone(cx.tx, &zone)?.name.clone();
    let mut properties = Map::new();
    wire::put(&mut properties, "HostedZoneId", &zone);
    wire::put(&mut properties, ZONE_NAME, &spellings.spell(&name));
    Ok(Some((properties, sets)))
}

fn template_set(set: RecordSetShape, spellings: &Spellings) -> TemplateSet {
    let alias = |alias: AliasTarget| TemplateAlias {
        hosted_zone_id: alias.hosted_zone_id,
        dns_name: spellings.spell(&alias.dns_name.into()),
        evaluate_target_health: Some(alias.evaluate_target_health),
    };
    let values = |records: Vec<ResourceRecord>| records.into_iter().map(|record| record.value).collect();
    TemplateSet {
        name: spellings.spell(&set.name.into()),
        r#type: set.r#type,
        set_identifier: set.set_identifier,
        weight: set.weight,
        failover: set.failover,
        health_check_id: set.health_check_id,
        multi_value_answer: Some(set.multi_value_answer.unwrap_or(false)),
        ttl: set.ttl.map(|ttl| ttl.to_string()),
        resource_records: set.resource_records.map(values),
        alias_target: set.alias_target.map(alias),
        hosted_zone_id: None,
        hosted_zone_name: None,
        comment: None,
    }
}

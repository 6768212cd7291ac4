//! The resource types `AWS::Route53::*`, implemented with this service's operations.

use crate::{
    choices::RRType,
    ops::{
        associate_vpc_with_hosted_zone::AssociateVPCWithHostedZone,
        change_resource_record_sets::{self, ChangeBatch, ChangeResourceRecordSets, ChangeShape},
        change_tags_for_resource::ChangeTagsForResource,
        create_hosted_zone::CreateHostedZone,
        delete_hosted_zone::DeleteHostedZone,
    },
    record::{self, Action},
    rules,
    shapes::{self, AliasTarget, RecordSetShape, ResourceRecord, VpcShape},
    system,
};
use escale_base::{
    AwsError, Wire,
    wire::{self, Value},
};
use escale_service::{Created, Cx, InputDraft, Props, Readiness, ResourceType, Resources};
use escale_store::{Image, Row};
use escale_tables::route53::{Change, DnsApplied, HostedZone, HostedZoneId, RecordSet};

pub(crate) fn types() -> Resources {
    vec![
        ResourceType::new(
            "AWS::Route53::HostedZone",
            &["Name", "HostedZoneConfig", "HostedZoneTags", "VPCs"],
            create_zone,
            delete_zone,
        )
        .ready(in_sync)
        .gone(zone_gone),
        ResourceType::new("AWS::Route53::RecordSet", RECORD_SET, create_set, delete_sets)
            .ready(in_sync)
            .gone(sets_gone),
        ResourceType::new(
            "AWS::Route53::RecordSetGroup",
            &["HostedZoneId", "HostedZoneName", "Comment", "RecordSets"],
            create_group,
            delete_sets,
        )
        .ready(in_sync)
        .gone(sets_gone),
    ]
}

const RECORD_SET: &[&str] = &[
    "HostedZoneId",
    "HostedZoneName",
    "Comment",
    "Name",
    "Type",
    "TTL",
    "ResourceRecords",
    "AliasTarget",
    "SetIdentifier",
    "Weight",
    "MultiValueAnswer",
];

/// Internal attributes besides those for `Fn::GetAtt`: the change to wait for, and the keys of the record sets.
const CHANGE: &str = "ChangeId";
const SETS: &str = "RecordSetKeys";

fn create_zone(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    // The API creates a zone with one VPC; the others are associated afterwards.
    let mut vpcs = props.read::<Vec<VpcShape>>("VPCs")?.into_iter();
    let input = props.input::<CreateHostedZone>(&["Name", "HostedZoneConfig"]).with("VPC", &vpcs.next());
    let made = input.with("CallerReference", &escale_base::ids::random_uuid()).call(cx)?;
    let id = rules::zone_id(&made.hosted_zone.id);
    let mut change = made.change_info.id;
    for vpc in vpcs {
        let input = InputDraft::<AssociateVPCWithHostedZone>::new().with("HostedZoneId", &id);
        change = input.with("VPC", &vpc).call(cx)?.change_info.id;
    }
    // They include the stack's `aws:` tags, which clients cannot set through the API.
    let tags = props.tags_in("HostedZoneTags")?;
    if !tags.is_empty() {
        let input = InputDraft::<ChangeTagsForResource>::new().with("ResourceType", &"hostedzone".to_owned());
        input.with("ResourceId", &id).with("AddTags", &tags).call(cx)?;
    }
    let created = Created::new(id.as_str()).with("Id", id.0).with(CHANGE, change);
    Ok(match made.delegation_set {
        Some(set) => created.with("NameServers", set.name_servers),
        None => created,
    })
}

fn delete_zone(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    if !cx.tx.has::<HostedZone>(&created.physical_id) {
        return Ok(());
    }
    created.delete_by::<DeleteHostedZone>(cx, "Id")
}

fn zone_gone(image: &Image, created: &Created) -> Readiness {
    if image.has::<HostedZone>(&created.physical_id) {
        Readiness::Pending("the hosted zone still exists".into())
    } else {
        Readiness::ready()
    }
}

/// A record set in a template. In the API its zone and comment belong to the whole batch.
#[derive(Wire)]
struct TemplateSet {
    name: String,
    r#type: RRType,
    set_identifier: Option<String>,
    weight: Option<u16>,
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

fn create_set(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let set = set_shape(props, &Value::Object(props.values.clone()))?;
    create(cx, props, set.name.clone(), vec![set])
}

fn create_group(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let sets = props.read::<Vec<Value>>("RecordSets")?;
    let sets = sets.iter().map(|set| set_shape(props, set)).collect::<Result<Vec<_>, _>>()?;
    create(cx, props, props.name_or_generated("GroupName", 128), sets)
}

fn create(
    cx: &mut Cx<'_>,
    props: &Props<'_>,
    physical_id: String,
    sets: Vec<RecordSetShape>,
) -> Result<Created, AwsError> {
    let zone = zone_of(cx.tx, props)?;
    let row = rules::zone(cx.tx, &zone)?;
    let mut keys = Vec::new();
    // Stored with the resource: the deletion must find the sets without the template.
    for set in &sets {
        keys.push(record::read(&row, Action::Create, set.clone())?.set.key());
    }
    let made = change(cx, zone, props.read("Comment")?, Action::Create, sets)?;
    Ok(Created::new(physical_id).with(CHANGE, made.change_info.id).with(SETS, keys))
}

fn change(
    cx: &mut Cx<'_>,
    zone: HostedZoneId,
    comment: Option<String>,
    action: Action,
    sets: Vec<RecordSetShape>,
) -> Result<change_resource_record_sets::Output, AwsError> {
    let changes =
        sets.into_iter().map(|resource_record_set| ChangeShape { action, resource_record_set }).collect();
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
        multi_value_answer: set.multi_value_answer,
        ttl: ttl.transpose()?,
        resource_records: set.resource_records.map(records),
        alias_target: set.alias_target.map(alias),
    })
}

fn zone_of(image: &Image, props: &Props<'_>) -> Result<HostedZoneId, AwsError> {
    match (props.str("HostedZoneId"), props.str("HostedZoneName")) {
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
fn delete_sets(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let rows: Vec<_> = keys(created).filter_map(|key| cx.tx.get::<RecordSet>(key)).collect();
    let Some(zone) = rows.first().map(|row| row.zone.clone()) else { return Ok(()) };
    let sets = rows.iter().map(|row| shapes::record_set(row)).collect();
    change(cx, zone, None, Action::Delete, sets).map(drop)
}

fn sets_gone(image: &Image, created: &Created) -> Readiness {
    if keys(created).any(|key| image.has::<RecordSet>(key)) {
        Readiness::Pending("the record sets still exist".into())
    } else {
        Readiness::ready()
    }
}

fn keys(created: &Created) -> impl Iterator<Item = &str> {
    created.attributes.get(SETS).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// A change without a row was purged, so it is in sync.
fn in_sync(image: &Image, created: &Created) -> Readiness {
    let Ok(change) = created.attribute(CHANGE) else {
        return Readiness::Failed("The id of its change is not known".into());
    };
    let change = image.get::<Change>(&rules::change_id(change));
    let applied = image.get::<DnsApplied>(DnsApplied::KEY).map_or(0, |a| a.sequence);
    match change {
        Some(change) if change.sequence > applied => {
            Readiness::Pending(format!("{} does not serve the change yet", system::NAME_SERVER))
        }
        _ => Readiness::ready(),
    }
}

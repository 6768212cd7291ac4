//! Route 53's CloudFormation types.

use crate::{record::Action, rules, shapes, system};
use escale_base::{AwsError, Wire, wire::Value};
use escale_service::{Created, Cx, Props, Readiness, ResourceType, Resources};
use escale_store::Image;
use escale_tables::route53::DnsApplied;
use escale_tables::route53::{Change, HostedZone, RecordSet};
use serde_json::{Map, json};

pub(crate) fn types() -> Resources {
    vec![
        ResourceType {
            name: "AWS::Route53::HostedZone",
            properties: &["Name", "HostedZoneConfig", "HostedZoneTags", "VPCs"],
            create: create_zone,
            ready: in_sync,
            delete: delete_zone,
            gone: zone_gone,
        },
        ResourceType {
            name: "AWS::Route53::RecordSet",
            properties: RECORD_SET,
            create: create_set,
            ready: in_sync,
            delete: delete_sets,
            gone: sets_gone,
        },
        ResourceType {
            name: "AWS::Route53::RecordSetGroup",
            properties: &["HostedZoneId", "HostedZoneName", "Comment", "RecordSets"],
            create: create_group,
            ready: in_sync,
            delete: delete_sets,
            gone: sets_gone,
        },
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

/// Beside what `Fn::GetAtt` knows: the change to wait for, and the keys of the record sets.
const CHANGE: &str = "ChangeId";
const SETS: &str = "RecordSetKeys";

fn create_zone(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let mut vpcs = props.get("VPCs").and_then(Value::as_array).cloned().unwrap_or_default().into_iter();
    let mut input = json!({
        "Name": props.required("Name")?,
        "CallerReference": escale_base::ids::random_uuid(),
        "HostedZoneConfig": props.get("HostedZoneConfig").cloned().unwrap_or_else(|| json!({})),
    });
    if let Some(first) = vpcs.next() {
        input["VPC"] = first;
    }
    let made = cx.call_untyped("route53", "CreateHostedZone", input)?;
    let id = rules::bare(text(&made["HostedZone"]["Id"])).to_owned();
    let mut change = made["ChangeInfo"]["Id"].clone();
    for vpc in vpcs {
        let input = json!({"HostedZoneId": id, "VPC": vpc});
        change = cx.call_untyped("route53", "AssociateVPCWithHostedZone", input)?["ChangeInfo"]["Id"].clone();
    }
    let tags = zone_tags(props);
    if !tags.is_empty() {
        let input = json!({"ResourceType": "hostedzone", "ResourceId": id, "AddTags": tags});
        cx.call_untyped("route53", "ChangeTagsForResource", input)?;
    }
    let created = Created::new(id.clone()).with("Id", id).with(CHANGE, change);
    Ok(match made["DelegationSet"]["NameServers"].as_array() {
        Some(servers) => created.with("NameServers", servers.clone()),
        None => created,
    })
}

/// `HostedZoneTags` over the stack's own; `aws:` ones cannot be set through the API by anybody.
fn zone_tags(props: &Props<'_>) -> Vec<Value> {
    let mut tags = props.stack_tags.to_vec();
    let own = props.get("HostedZoneTags").and_then(Value::as_array).into_iter().flatten();
    let own = own.filter_map(|t| Some(escale_base::Tag::new(t["Key"].as_str()?, t["Value"].as_str()?)));
    escale_base::tags::merge(&mut tags, own);
    tags.iter().map(Wire::write).collect()
}

fn delete_zone(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    if cx.tx.has::<HostedZone>(&created.physical_id) {
        cx.call_untyped("route53", "DeleteHostedZone", json!({"Id": created.physical_id}))?;
    }
    Ok(())
}

fn zone_gone(image: &Image, created: &Created) -> Readiness {
    match image.has::<HostedZone>(&created.physical_id) {
        true => Readiness::Pending("its deletion".into()),
        false => Readiness::ready(),
    }
}

fn create_set(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let set = set_shape(props.values)?;
    create(cx, props, text(props.required("Name")?).to_owned(), vec![set])
}

fn create_group(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let sets = props.get("RecordSets").and_then(Value::as_array).cloned().unwrap_or_default();
    let sets = sets.iter().map(|set| match set.as_object() {
        Some(set) => set_shape(set),
        None => Err(bad(props, "RecordSets is not a list of record sets")),
    });
    let sets = sets.collect::<Result<Vec<_>, _>>()?;
    create(cx, props, props.name_or_generated("GroupName", 128), sets)
}

fn create(
    cx: &mut Cx<'_>,
    props: &Props<'_>,
    physical_id: String,
    sets: Vec<Value>,
) -> Result<Created, AwsError> {
    let zone = zone_of(cx.tx, props)?;
    let mut keys = Vec::new();
    for set in &sets {
        let shape = shapes::RecordSetShape::read(set).map_err(|e| bad(props, &e.to_string()))?;
        let row = rules::zone(cx.tx, &zone)?;
        let read = crate::record::read(&row, Action::Create, shape)?;
        keys.push(Value::from(escale_store::Row::key(&read.set)));
    }
    let changes: Vec<Value> =
        sets.into_iter().map(|set| json!({"Action": "CREATE", "ResourceRecordSet": set})).collect();
    let mut batch = json!({"Changes": changes});
    if let Some(comment) = props.get("Comment") {
        batch["Comment"] = comment.clone();
    }
    let input = json!({"HostedZoneId": zone, "ChangeBatch": batch});
    let made = cx.call_untyped("route53", "ChangeResourceRecordSets", input)?;
    Ok(Created::new(physical_id).with(CHANGE, made["ChangeInfo"]["Id"].clone()).with(SETS, keys))
}

/// A template writes numbers and booleans as text, too, and values as plain strings.
fn set_shape(props: &Map<String, Value>) -> Result<Value, AwsError> {
    let mut shape = Map::new();
    for (name, value) in props {
        let value = match name.as_str() {
            "HostedZoneId" | "HostedZoneName" | "Comment" => continue,
            "TTL" | "Weight" => number(value),
            "MultiValueAnswer" => boolean(value),
            "ResourceRecords" => {
                let values = value.as_array().into_iter().flatten();
                values.map(|v| json!({"Value": v})).collect()
            }
            "AliasTarget" => {
                let mut alias = value.clone();
                let evaluate = alias.get("EvaluateTargetHealth").map_or(Value::Bool(false), boolean);
                if let Some(members) = alias.as_object_mut() {
                    members.insert("EvaluateTargetHealth".into(), evaluate);
                }
                alias
            }
            other if RECORD_SET.contains(&other) => value.clone(),
            other => {
                return Err(AwsError::not_supported(format_args!("The property {other} of a record set")));
            }
        };
        shape.insert(name.clone(), value);
    }
    Ok(Value::Object(shape))
}

fn number(value: &Value) -> Value {
    value.as_str().and_then(|s| s.parse::<i64>().ok()).map_or_else(|| value.clone(), Value::from)
}

fn boolean(value: &Value) -> Value {
    value.as_str().and_then(|s| s.parse::<bool>().ok()).map_or_else(|| value.clone(), Value::from)
}

fn zone_of(image: &Image, props: &Props<'_>) -> Result<String, AwsError> {
    match (props.str("HostedZoneId"), props.str("HostedZoneName")) {
        (Some(id), None) => Ok(id.to_owned()),
        (None, Some(name)) => {
            let name = rules::domain_name(name)?;
            let found: Vec<_> = image.scan::<HostedZone>().filter(|z| z.name == name).collect();
            match found.as_slice() {
                [only] => Ok(only.id.clone()),
                [] => Err(bad(props, &format!("No hosted zones named {name} found"))),
                _ => Err(bad(props, &format!("Multiple hosted zones named {name} found"))),
            }
        }
        _ => Err(bad(props, "Exactly one of HostedZoneId and HostedZoneName must be given")),
    }
}

fn bad(props: &Props<'_>, why: &str) -> AwsError {
    crate::Error::InvalidInput(format!("{}: {why}", props.logical_id)).into()
}

/// Deletes what is there under the names of the sets, whatever it is by now.
fn delete_sets(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let rows: Vec<_> = keys(created).filter_map(|key| cx.tx.get::<RecordSet>(key)).collect();
    let Some(zone) = rows.first().map(|row| row.zone.clone()) else { return Ok(()) };
    let delete =
        |row: &RecordSet| json!({"Action": "DELETE", "ResourceRecordSet": shapes::record_set(row).write()});
    let changes: Vec<Value> = rows.iter().map(|row| delete(row)).collect();
    let input = json!({"HostedZoneId": zone, "ChangeBatch": {"Changes": changes}});
    cx.call_untyped("route53", "ChangeResourceRecordSets", input).map(drop)
}

fn sets_gone(image: &Image, created: &Created) -> Readiness {
    match keys(created).any(|key| image.has::<RecordSet>(key)) {
        true => Readiness::Pending("its deletion".into()),
        false => Readiness::ready(),
    }
}

fn keys(created: &Created) -> impl Iterator<Item = &str> {
    created.attributes.get(SETS).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// A change that is not known any more is long done.
fn in_sync(image: &Image, created: &Created) -> Readiness {
    let change = image.get::<Change>(rules::bare(created.attribute(CHANGE)));
    let applied = image.get::<DnsApplied>(DnsApplied::KEY).map_or(0, |a| a.sequence);
    match change {
        Some(change) if change.sequence > applied => {
            Readiness::Pending(format!("{} to answer with it", system::NAME_SERVER))
        }
        _ => Readiness::ready(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

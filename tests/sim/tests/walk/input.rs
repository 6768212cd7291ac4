//! The minimal input that an operation's model accepts.

use escale_model::{Kind, Operation, ServiceModel, Shape, ShapeId};
use serde_json::{Map, Value, json};

/// The required members, each with the minimal value that its constraints allow.
pub(crate) fn least(model: &ServiceModel, operation: &Operation) -> Value {
    with(model, operation, &[])
}

/// The same with the member at this path (`["TagSpecifications", "Tags"]`). Lists in the path get one item.
pub(crate) fn with(model: &ServiceModel, operation: &Operation, path: &[String]) -> Value {
    let streamed = operation.streams_in();
    let mut input = match operation.input {
        Some(shape) => value(model, shape, "", path),
        None => json!({}),
    };
    if let (Some(object), Some(streamed)) = (input.as_object_mut(), streamed) {
        object.remove(streamed);
    }
    input
}

/// The minimal value of a shape. Texts are chosen by the member's `name`.
pub(crate) fn value(model: &ServiceModel, id: ShapeId, name: &str, path: &[String]) -> Value {
    let shape = model.shape(id);
    match &shape.kind {
        Kind::Structure(structure) => {
            let mut object = Map::new();
            let (first, rest) = path.split_first().map_or((None, path), |(f, r)| (Some(f), r));
            // A union has exactly one member.
            let any = structure.union && first.is_none();
            // Some protocols do not send an empty structure, so one without required members gets its first member.
            let bare = !name.is_empty() && first.is_none() && !structure.members.iter().any(|m| m.required);
            for (i, member) in structure.members.iter().enumerate() {
                let wanted = first == Some(&member.name);
                let required = member.required && !(structure.union && first.is_some());
                if wanted || required || ((any || bare) && i == 0) {
                    let below = if wanted { rest } else { &[] };
                    object.insert(member.name.clone(), value(model, member.shape, &member.name, below));
                }
            }
            // CloudFront's lists have their number of items in `Quantity`.
            if object.contains_key("Quantity") {
                let items = object.get("Items").and_then(Value::as_array).map_or(0, Vec::len);
                object.insert("Quantity".into(), items.into());
            }
            Value::Object(object)
        }
        Kind::List { item, .. } => {
            let count = shape.min.map_or(1, |min| min.max(1.0) as usize);
            let item = value(model, item.shape, name, path);
            Value::Array(vec![item; count])
        }
        Kind::Map { key, value: inner, .. } => {
            let count = shape.min.map_or(1, |min| min.max(1.0) as usize);
            let key = text(model.shape(key.shape), name);
            let entry = |i: usize| {
                let key = if i == 0 { key.clone() } else { format!("{key}{i}") };
                (key, value(model, inner.shape, name, path))
            };
            Value::Object((0..count).map(entry).collect())
        }
        Kind::String => text(shape, name).into(),
        Kind::Integer { .. } => {
            (shape.min.unwrap_or(1.0).max(1.0).min(shape.max.unwrap_or(f64::MAX)) as i64).into()
        }
        Kind::Float => shape.min.unwrap_or(1.0).into(),
        Kind::Boolean => true.into(),
        Kind::Timestamp(_) => 1_800_000_000.into(),
        Kind::Blob => "YQ==".into(),
        Kind::Document => json!({}),
    }
}

fn text(shape: &Shape, name: &str) -> String {
    if let Some(first) = shape.choices.first() {
        return first.clone();
    }
    let text = match name {
        "Bucket" => "walk-bucket",
        "CopySource" => "walk-bucket/key",
        // Only Gateway endpoints of one service are enacted.
        "ServiceName" => "com.amazonaws.eu-west-3.s3",
        "VpcId" | "Resources" => "vpc-1",
        "SubnetId" => "subnet-1",
        "RouteTableId" => "rtb-1",
        "GroupId" => "sg-1",
        "SecurityGroupRuleId" => "sgr-1",
        "NatGatewayId" => "nat-1",
        "NetworkAclId" => "acl-1",
        "DhcpOptionsId" => "dopt-1",
        "EgressOnlyInternetGatewayId" => "eigw-1",
        "VpcPeeringConnectionId" => "pcx-1",
        "FlowLogIds" => "fl-1",
        "ResourceIds" => "vpc-1",
        "InternetGatewayId" => "igw-1",
        "AllocationId" => "eipalloc-1",
        "NetworkInterfaceId" => "eni-1",
        "VpcEndpointId" | "VpcEndpointIds" => "vpce-1",
        "PrefixListId" => "pl-1",
        _ if name.contains("Arn") || name.contains("ARN") => "arn:aws:iam::000000000000:role/walk",
        _ => "walk",
    };
    let (min, max) = (shape.min.unwrap_or(0.0) as usize, shape.max.unwrap_or(f64::MAX));
    let mut text = format!("{text:w<min$}");
    if (text.len() as f64) > max {
        text.truncate(max as usize);
    }
    text
}

/// Adds the member at a path in the form of error messages (`Tags[0].Value`), with its minimal value.
pub(crate) fn add(model: &ServiceModel, id: ShapeId, input: &mut Value, steps: &[&str]) {
    let Some((step, rest)) = steps.split_first() else { return };
    let (name, indexed) = step.split_once('[').map_or((*step, false), |(name, _)| (name, true));
    let Some(member) = model.shape(id).structure().and_then(|s| s.member(name)) else { return };
    if rest.is_empty() {
        input[name] = value(model, member.shape, name, &[]);
        return;
    }
    match &model.shape(member.shape).kind {
        Kind::List { item, .. } if indexed => {
            for inner in input[name].as_array_mut().into_iter().flatten() {
                add(model, item.shape, inner, rest);
            }
        }
        _ => add(model, member.shape, &mut input[name], rest),
    }
}

//! Encodes an input as a client does: the counterpart of the decoder in `escale-wire`.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use escale_model::{Kind, Location, Member, Operation, Protocol, Segment, ServiceModel, ShapeId};
use http::{Request, request::Builder};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

/// A member that no model has. It is put into every part of a request that can have members.
pub(crate) const UNKNOWN: &str = "EscaleUnknownMember";

const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The first protocol in which a body can be written here; CBOR only if the service has no other.
pub(crate) fn protocol(model: &ServiceModel) -> Protocol {
    let first = model.protocols.iter().find(|protocol| **protocol != Protocol::Cbor);
    *first.unwrap_or(&model.protocols[0])
}

pub(crate) fn request(
    model: &ServiceModel,
    operation: &Operation,
    input: &Value,
    with_unknown: bool,
) -> Request<Bytes> {
    match protocol(model) {
        Protocol::Json => {
            let mut tree = operation.input.map_or_else(|| json!({}), |shape| wire_names(model, shape, input));
            if with_unknown {
                tree[UNKNOWN] = json!({"a": [1]});
            }
            named(model, &operation.name, tree.to_string())
        }
        Protocol::Query | Protocol::Ec2 => {
            let mut fields = Vec::new();
            if let Some(shape) = operation.input {
                flatten(model, shape, String::new(), input, &mut fields);
            }
            if with_unknown {
                fields.push((format!("{UNKNOWN}.member.1.A"), "1".into()));
            }
            let form: String =
                fields.iter().map(|(k, v)| format!("&{}={}", percent(k), percent(v))).collect();
            named(model, &operation.name, form)
        }
        Protocol::RestXml => rest(model, operation, input, with_unknown),
        Protocol::Cbor => named(model, &operation.name, String::new()),
    }
}

/// A request in a protocol that names the operation; `content` is the body, or the rest of the form.
pub(crate) fn named(model: &ServiceModel, operation: &str, content: String) -> Request<Bytes> {
    let builder = Request::builder().method("POST");
    let (builder, body) = match protocol(model) {
        Protocol::Json => {
            let media = format!("application/x-amz-json-{}", model.json_version);
            let target = format!("{}.{operation}", model.target_prefix);
            (builder.uri("/").header("content-type", media).header("x-amz-target", target), content)
        }
        Protocol::Cbor => {
            let path = format!("/service/{}/operation/{operation}", model.target_prefix);
            (builder.uri(path).header("smithy-protocol", "rpc-v2-cbor"), String::new())
        }
        _ => {
            let form = format!("Action={operation}&Version={}{content}", model.api_version);
            (builder.uri("/").header("content-type", "application/x-www-form-urlencoded"), form)
        }
    };
    builder.body(Bytes::from(body)).unwrap()
}

fn percent(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn wire_names(model: &ServiceModel, shape: ShapeId, value: &Value) -> Value {
    match (&model.shape(shape).kind, value) {
        (Kind::Structure(structure), Value::Object(object)) => {
            let members = structure.members.iter().filter_map(|m| {
                let inner = object.get(&m.name)?;
                Some((m.wire_name().to_owned(), wire_names(model, m.shape, inner)))
            });
            Value::Object(members.collect::<Map<_, _>>())
        }
        (Kind::List { item, .. }, Value::Array(items)) => {
            items.iter().map(|inner| wire_names(model, item.shape, inner)).collect()
        }
        (Kind::Map { value: inner, .. }, Value::Object(map)) => Value::Object(
            map.iter().map(|(k, v)| (k.clone(), wire_names(model, inner.shape, v))).collect::<Map<_, _>>(),
        ),
        (_, other) => other.clone(),
    }
}

fn flatten(
    model: &ServiceModel,
    shape: ShapeId,
    prefix: String,
    value: &Value,
    fields: &mut Vec<(String, String)>,
) {
    let ec2 = protocol(model) == Protocol::Ec2;
    let below = |step: &str| if prefix.is_empty() { step.to_owned() } else { format!("{prefix}.{step}") };
    match (&model.shape(shape).kind, value) {
        (Kind::Structure(structure), Value::Object(object)) => {
            for member in &structure.members {
                if let Some(inner) = object.get(&member.name) {
                    flatten(model, member.shape, below(&query_name(model, member, ec2)), inner, fields);
                }
            }
        }
        (Kind::List { item, flattened }, Value::Array(items)) => {
            for (i, inner) in items.iter().enumerate() {
                let step = if ec2 || *flattened {
                    (i + 1).to_string()
                } else {
                    format!("{}.{}", item.location_name().unwrap_or("member"), i + 1)
                };
                flatten(model, item.shape, below(&step), inner, fields);
            }
        }
        (Kind::Map { key, value: inner, flattened }, Value::Object(map)) => {
            for (i, (k, v)) in map.iter().enumerate() {
                let entry =
                    if *flattened { below(&(i + 1).to_string()) } else { below(&format!("entry.{}", i + 1)) };
                fields.push((format!("{entry}.{}", key.location_name().unwrap_or("key")), k.clone()));
                let at = format!("{entry}.{}", inner.location_name().unwrap_or("value"));
                flatten(model, inner.shape, at, v, fields);
            }
        }
        (_, other) => fields.push((prefix, scalar(other))),
    }
}

fn query_name(model: &ServiceModel, member: &Member, ec2: bool) -> String {
    if ec2 {
        let capitalised = || {
            let (first, rest) = member.wire_name().split_at(1);
            format!("{}{rest}", first.to_uppercase())
        };
        return member.query_name().map_or_else(capitalised, str::to_owned);
    }
    match &model.shape(member.shape).kind {
        Kind::List { item, flattened: true } => item.location_name().unwrap_or(member.wire_name()).to_owned(),
        _ => member.wire_name().to_owned(),
    }
}

fn rest(model: &ServiceModel, operation: &Operation, input: &Value, with_unknown: bool) -> Request<Bytes> {
    let mut query: Vec<String> = operation
        .query
        .iter()
        .map(|(k, v)| v.as_ref().map_or_else(|| percent(k), |v| format!("{}={}", percent(k), percent(v))))
        .collect();
    let mut builder = Request::builder().method(operation.method.as_str());
    let structure = operation.input.and_then(|shape| model.shape(shape).structure());
    let members = structure.map_or(&[][..], |s| &s.members);
    for member in members {
        let Some(value) = input.get(&member.name) else { continue };
        match member.location {
            Location::Query => query.extend(query_pairs(member, value)),
            Location::Header | Location::Headers => builder = headers(builder, member, value),
            _ => {}
        }
    }
    let path = path_of(operation, members, input);
    if with_unknown {
        query.push(format!("{UNKNOWN}=1"));
        builder = builder.header(UNKNOWN, "1");
    }
    let target = if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) };
    let body = structure.map_or_else(String::new, |s| body_of(model, operation, s, input, with_unknown));
    builder.uri(target).body(Bytes::from(body)).unwrap()
}

fn query_pairs(member: &Member, value: &Value) -> Vec<String> {
    let pair = |k: &str, v: &Value| format!("{}={}", percent(k), percent(&scalar(v)));
    match value {
        Value::Array(items) => items.iter().map(|v| pair(member.wire_name(), v)).collect(),
        Value::Object(map) => map.iter().map(|(k, v)| pair(k, v)).collect(),
        one => vec![pair(member.wire_name(), one)],
    }
}

fn headers(builder: Builder, member: &Member, value: &Value) -> Builder {
    match value {
        Value::Object(map) => {
            map.iter().fold(builder, |b, (k, v)| b.header(format!("{}{k}", member.wire_name()), scalar(v)))
        }
        Value::Array(items) => {
            builder.header(member.wire_name(), items.iter().map(scalar).collect::<Vec<_>>().join(","))
        }
        one => builder.header(member.wire_name(), scalar(one)),
    }
}

fn path_of(operation: &Operation, members: &[Member], input: &Value) -> String {
    let label = |wire: &str| {
        let member = members.iter().find(|m| m.location == Location::Uri && m.wire_name() == wire);
        member.and_then(|m| input.get(&m.name)).map(scalar).unwrap_or_default()
    };
    let pieces = operation.path.iter().map(|segment| match segment {
        Segment::Literal(text) => format!("/{text}"),
        Segment::Label(name) | Segment::Greedy(name) => format!("/{}", percent(&label(name))),
    });
    let path: String = pieces.collect();
    if path.is_empty() { "/".into() } else { path }
}

fn body_of(
    model: &ServiceModel,
    operation: &Operation,
    structure: &escale_model::Structure,
    input: &Value,
    with_unknown: bool,
) -> String {
    let unknown = if with_unknown { format!("<{UNKNOWN}><A>1</A></{UNKNOWN}>") } else { String::new() };
    if operation.streams_in().is_some() {
        return String::new();
    }
    if let Some(payload) = structure.payload() {
        let Some(value) = input.get(&payload.name) else { return String::new() };
        return match &model.shape(payload.shape).kind {
            Kind::String => scalar(value),
            Kind::Blob => String::from_utf8(STANDARD.decode(scalar(value)).unwrap()).unwrap(),
            _ => {
                let (attributes, inner) = xml(model, payload.shape, value);
                let name = payload.wire_name();
                format!("<{name}{attributes}>{unknown}{inner}</{name}>")
            }
        };
    }
    if !structure.members.iter().any(|m| m.location == Location::Body && input.get(&m.name).is_some()) {
        return String::new();
    }
    let inner: String = structure
        .members
        .iter()
        .filter(|m| m.location == Location::Body)
        .filter_map(|m| Some(element(model, m, input.get(&m.name)?)))
        .collect();
    let root = operation.input_root.as_deref().unwrap_or("Request");
    format!("<{root}>{unknown}{inner}</{root}>")
}

fn element(model: &ServiceModel, member: &Member, value: &Value) -> String {
    let name = member.wire_name();
    if let (Kind::List { item, flattened }, Value::Array(items)) = (&model.shape(member.shape).kind, value)
        && (*flattened || member.flattened)
    {
        let name = item.location_name().unwrap_or(name);
        let wrap = |v: &Value| {
            let (attributes, inner) = xml(model, item.shape, v);
            format!("<{name}{attributes}>{inner}</{name}>")
        };
        return items.iter().map(wrap).collect();
    }
    let (attributes, inner) = xml(model, member.shape, value);
    format!("<{name}{attributes}>{inner}</{name}>")
}

/// Attributes and content of an element with this value.
fn xml(model: &ServiceModel, shape: ShapeId, value: &Value) -> (String, String) {
    match (&model.shape(shape).kind, value) {
        (Kind::Structure(structure), Value::Object(object)) => {
            let (mut attributes, mut inner) = (String::new(), String::new());
            for member in &structure.members {
                match object.get(&member.name) {
                    Some(value) if member.xml_attribute => {
                        attributes.push_str(&format!(" {}=\"{}\"", member.wire_name(), scalar(value)));
                    }
                    Some(value) => inner.push_str(&element(model, member, value)),
                    None => {}
                }
            }
            (attributes, inner)
        }
        (Kind::List { item, .. }, Value::Array(items)) => {
            let name = item.location_name().unwrap_or("member");
            let wrap = |v: &Value| {
                let (attributes, inner) = xml(model, item.shape, v);
                format!("<{name}{attributes}>{inner}</{name}>")
            };
            (String::new(), items.iter().map(wrap).collect())
        }
        (_, other) => (String::new(), scalar(other).replace('&', "&amp;").replace('<', "&lt;")),
    }
}

//! Converts a model's JSON to a [`ServiceModel`].

use crate::outside::{Other, Route};
use crate::shape::{
    ErrorTraits, Kind, Location, Member, Shape, ShapeId, Structure, TimeFormat, XmlNamespace,
};
use crate::{Operation, Protocol, Segment, ServiceModel};
use serde_json::{Map, Value};
use std::collections::HashMap;

type Ids<'a> = HashMap<&'a str, ShapeId>;

pub(crate) fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or(false)
}

fn object<'a>(value: &'a Value, key: &str) -> Result<&'a Map<String, Value>, String> {
    value.get(key).and_then(Value::as_object).ok_or_else(|| format!("`{key}` is missing"))
}

fn strings(value: &Value, key: &str) -> Vec<String> {
    let items = value.get(key).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

pub(crate) fn model(id: &'static str, tree: &Value) -> Result<ServiceModel, String> {
    let metadata = tree.get("metadata").ok_or("`metadata` is missing")?;
    let raw = object(tree, "shapes")?;
    let ids: Ids<'_> = raw.keys().enumerate().map(|(i, name)| (name.as_str(), ShapeId(i))).collect();
    let shapes = raw.iter().map(|(name, v)| shape(name, v, &ids)).collect::<Result<Vec<_>, _>>()?;

    let mut errors = HashMap::new();
    for (i, shape) in shapes.iter().enumerate() {
        if let Some(traits) = &shape.error {
            errors.insert(shape.name.clone(), ShapeId(i));
            // Several shapes may share a code; a shape's own name takes precedence over another shape's code.
            errors.entry(traits.code.clone()).or_insert(ShapeId(i));
        }
    }
    let mut operations = std::collections::BTreeMap::new();
    for (name, v) in object(tree, "operations")? {
        operations.insert(name.clone(), operation(name, v, &ids, &shapes)?);
    }
    let others = tree.get("others").map_or(Ok(Vec::new()), others)?;
    Ok(ServiceModel {
        id,
        protocols: protocols(metadata)?,
        api_version: text(metadata, "apiVersion").unwrap_or_default(),
        target_prefix: text(metadata, "targetPrefix").unwrap_or_default(),
        json_version: text(metadata, "jsonVersion").unwrap_or_else(|| "1.1".into()),
        xml_namespace: xml_namespace(metadata, tree),
        signing_name: text(metadata, "signingName")
            .or_else(|| text(metadata, "endpointPrefix"))
            .unwrap_or_default(),
        query_compatible: metadata.get("awsQueryCompatible").is_some(),
        operations,
        others,
        shapes,
        errors,
    })
}

/// A list of names, or a map of names and routes.
fn others(tree: &Value) -> Result<Vec<Other>, String> {
    let named = |name: &Value| {
        let name = name.as_str().ok_or_else(|| format!("`others` contains {name}, which is not a name"))?;
        Ok(Other { name: name.to_owned(), route: None })
    };
    let routed =
        |(name, route): (&String, &Value)| Other { name: name.clone(), route: Some(other_route(route)) };
    match tree {
        Value::Array(names) => names.iter().map(named).collect(),
        Value::Object(routes) => Ok(routes.iter().map(routed).collect()),
        _ => Err("`others` is neither a list nor a map".into()),
    }
}

fn other_route(tree: &Value) -> Route {
    let (method, path, query) = http_of(tree);
    let (required_query, required_headers) = (strings(tree, "querystring"), strings(tree, "header"));
    Route { method, path, query, required_query, required_headers }
}

/// Query keys, with the value if it is fixed.
type QueryKeys = Vec<(String, Option<String>)>;

/// Method, path and query keys of an operation.
fn http_of(tree: &Value) -> (String, Vec<Segment>, QueryKeys) {
    let http = tree.get("http").unwrap_or(&Value::Null);
    let uri = text(http, "requestUri").unwrap_or_else(|| "/".into());
    let (path, query) = uri.split_once('?').unwrap_or((&uri, ""));
    (
        text(http, "method").unwrap_or_else(|| "POST".into()),
        path.split('/').filter(|piece| !piece.is_empty()).map(segment).collect(),
        query.split('&').filter(|pair| !pair.is_empty()).map(query_literal).collect(),
    )
}

fn protocols(metadata: &Value) -> Result<Vec<Protocol>, String> {
    let first = text(metadata, "protocol").ok_or("`metadata.protocol` is missing")?;
    let mut found = vec![protocol(&first)?];
    for other in strings(metadata, "protocols") {
        let other = protocol(&other)?;
        if !found.contains(&other) {
            found.push(other);
        }
    }
    Ok(found)
}

fn protocol(name: &str) -> Result<Protocol, String> {
    Ok(match name {
        "json" => Protocol::Json,
        "query" => Protocol::Query,
        "ec2" => Protocol::Ec2,
        "rest-xml" => Protocol::RestXml,
        "smithy-rpc-v2-cbor" => Protocol::Cbor,
        other => return Err(format!("protocol `{other}` is not known")),
    })
}

/// REST-XML models give the namespace with their requests only; the answers have the same one.
fn xml_namespace(metadata: &Value, tree: &Value) -> String {
    if let Some(Value::String(uri)) = metadata.get("xmlNamespace") {
        return uri.clone();
    }
    let operations = tree.get("operations").and_then(Value::as_object).into_iter().flatten();
    let of_input = operations.filter_map(|(_, o)| o.get("input")?.get("xmlNamespace")).find_map(namespace);
    let shapes = tree.get("shapes").and_then(Value::as_object).into_iter().flatten();
    let of_members = shapes
        .filter_map(|(_, s)| s.get("members")?.as_object())
        .flat_map(|members| members.values())
        .filter_map(|m| m.get("xmlNamespace"))
        .filter_map(namespace);
    of_input
        .or_else(|| of_members.into_iter().find(|n| n.prefix.is_none()))
        .map(|n| n.uri)
        .unwrap_or_default()
}

fn namespace(value: &Value) -> Option<XmlNamespace> {
    match value {
        Value::String(uri) => Some(XmlNamespace { prefix: None, uri: uri.clone() }),
        other => Some(XmlNamespace { prefix: text(other, "prefix"), uri: text(other, "uri")? }),
    }
}

fn shape(name: &str, v: &Value, ids: &Ids<'_>) -> Result<Shape, String> {
    let error = flag(v, "exception").then(|| {
        let traits = v.get("error").unwrap_or(&Value::Null);
        let fault = flag(v, "fault");
        let status = traits.get("httpStatusCode").and_then(Value::as_u64).map(|n| n as u16);
        ErrorTraits {
            code: text(traits, "code").unwrap_or_else(|| name.to_owned()),
            status: status.unwrap_or(if fault { 500 } else { 400 }),
            fault,
        }
    });
    Ok(Shape {
        name: name.to_owned(),
        kind: kind(v, ids).map_err(|e| format!("{name}: {e}"))?,
        choices: strings(v, "enum"),
        min: v.get("min").and_then(Value::as_f64),
        max: v.get("max").and_then(Value::as_f64),
        pattern: text(v, "pattern"),
        sensitive: flag(v, "sensitive"),
        error,
    })
}

fn kind(v: &Value, ids: &Ids<'_>) -> Result<Kind, String> {
    let part = |key: &str, name: &str| -> Result<Box<Member>, String> {
        let raw = v.get(key).ok_or_else(|| format!("`{key}` is missing"))?;
        Ok(Box::new(member(name, raw, false, ids)?))
    };
    Ok(match v.get("type").and_then(Value::as_str).unwrap_or("") {
        "structure" if flag(v, "document") => Kind::Document,
        "structure" => Kind::Structure(structure(v, ids)?),
        "list" => Kind::List { item: part("member", "member")?, flattened: flag(v, "flattened") },
        "map" => Kind::Map {
            key: part("key", "key")?,
            value: part("value", "value")?,
            flattened: flag(v, "flattened"),
        },
        "string" | "character" => Kind::String,
        "integer" => Kind::Integer { long: false },
        "long" => Kind::Integer { long: true },
        "float" | "double" => Kind::Float,
        "boolean" => Kind::Boolean,
        "blob" => Kind::Blob,
        "timestamp" => Kind::Timestamp(time_format(v)?),
        other => return Err(format!("type `{other}` is not known")),
    })
}

fn time_format(v: &Value) -> Result<Option<TimeFormat>, String> {
    Ok(match v.get("timestampFormat").and_then(Value::as_str) {
        None => None,
        Some("iso8601") => Some(TimeFormat::Iso8601),
        Some("rfc822") => Some(TimeFormat::Rfc822),
        Some("unixTimestamp") => Some(TimeFormat::UnixTimestamp),
        Some(other) => return Err(format!("timestamp format `{other}` is not known")),
    })
}

fn structure(v: &Value, ids: &Ids<'_>) -> Result<Structure, String> {
    let required = strings(v, "required");
    let mut members = Vec::new();
    for (name, raw) in v.get("members").and_then(Value::as_object).into_iter().flatten() {
        members.push(member(name, raw, required.contains(name), ids)?);
    }
    let payload = text(v, "payload").and_then(|p| members.iter().position(|m| m.name == p));
    Ok(Structure {
        members,
        payload,
        event_stream: flag(v, "eventstream"),
        union: flag(v, "union"),
        xml_namespace: v.get("xmlNamespace").and_then(namespace),
    })
}

fn member(name: &str, v: &Value, required: bool, ids: &Ids<'_>) -> Result<Member, String> {
    let target = v.get("shape").and_then(Value::as_str).unwrap_or("");
    Ok(Member {
        name: name.to_owned(),
        shape: *ids.get(target).ok_or_else(|| format!("{name}: shape `{target}` is missing"))?,
        location: match v.get("location").and_then(Value::as_str) {
            None => Location::Body,
            Some("uri") => Location::Uri,
            Some("querystring") => Location::Query,
            Some("header") => Location::Header,
            Some("headers") => Location::Headers,
            Some("statusCode") => Location::Status,
            Some(other) => return Err(format!("{name}: location `{other}` is not known")),
        },
        flattened: flag(v, "flattened"),
        xml_attribute: flag(v, "xmlAttribute"),
        xml_namespace: v.get("xmlNamespace").and_then(namespace),
        required,
        streaming: flag(v, "streaming"),
        idempotency_token: flag(v, "idempotencyToken"),
        location_name: text(v, "locationName"),
        query_name: text(v, "queryName"),
    })
}

fn operation(name: &str, v: &Value, ids: &Ids<'_>, shapes: &[Shape]) -> Result<Operation, String> {
    let http = v.get("http").unwrap_or(&Value::Null);
    let (method, path, query) = http_of(v);
    let side = |key: &str| -> Result<Option<ShapeId>, String> {
        let Some(target) = v.get(key).and_then(|side| text(side, "shape")) else { return Ok(None) };
        let id = ids.get(target.as_str()).ok_or_else(|| format!("{name}: shape `{target}` is missing"))?;
        Ok(Some(*id))
    };
    let (input, output) = (side("input")?, side("output")?);
    let null = &Value::Null;
    let (raw_in, raw_out) = (v.get("input").unwrap_or(null), v.get("output").unwrap_or(null));
    let checksum = v.get("httpChecksum").unwrap_or(null);
    let anonymous = text(v, "authtype").as_deref() == Some("none")
        || strings(v, "auth").iter().any(|a| a == "smithy.api#noAuth");
    Ok(Operation {
        name: name.to_owned(),
        method,
        path,
        query,
        status: http.get("responseCode").and_then(Value::as_u64).unwrap_or(200) as u16,
        input,
        input_root: text(raw_in, "locationName"),
        output,
        result_wrapper: text(raw_out, "resultWrapper"),
        errors: strings(v, "errors"),
        host_prefix: v.get("endpoint").and_then(|e| text(e, "hostPrefix")),
        anonymous,
        checksum_of_body: checksum.get("requestAlgorithmMember").is_some(),
        checksum_required: flag(checksum, "requestChecksumRequired") || flag(v, "httpChecksumRequired"),
        streams_in: stream(input, shapes),
        streams_out: stream(output, shapes),
        event_stream_out: output.is_some_and(|o| event_stream(o, shapes)),
    })
}

fn segment(piece: &str) -> Segment {
    match piece.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
        None => Segment::Literal(piece.to_owned()),
        Some(label) => match label.strip_suffix('+') {
            Some(label) => Segment::Greedy(label.to_owned()),
            None => Segment::Label(label.to_owned()),
        },
    }
}

fn query_literal(pair: &str) -> (String, Option<String>) {
    match pair.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (pair.to_owned(), None),
    }
}

fn stream(side: Option<ShapeId>, shapes: &[Shape]) -> Option<String> {
    let payload = shapes[side?.0].structure()?.payload()?;
    let target = &shapes[payload.shape.0];
    (payload.streaming && matches!(target.kind, Kind::Blob)).then(|| payload.name.clone())
}

fn event_stream(output: ShapeId, shapes: &[Shape]) -> bool {
    let members = shapes[output.0].structure().map_or(&[][..], |s| &s.members);
    members.iter().any(|m| shapes[m.shape.0].structure().is_some_and(|s| s.event_stream))
}

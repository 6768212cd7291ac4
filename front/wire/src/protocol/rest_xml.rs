//! REST-XML (S3, S3 Control, CloudFront, Route 53): members in path, query, headers or an XML body.

use super::{query::extra_members, query::message, request_ids, s3_names, set};
use crate::fault::Malformed;
use crate::head::{header, query_pairs};
use crate::scalar;
use crate::xml::{self, Writer};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use escale_base::{AwsError, path::decode_once};
use escale_model::{Kind, Labels, Location, Member, Operation, ServiceModel, ShapeId};
use http::{HeaderMap, Response, StatusCode, request::Parts};
use serde_json::{Map, Value};

pub(super) fn decode(
    model: &ServiceModel,
    operation: &Operation,
    labels: Labels,
    parts: &Parts,
    body: &[u8],
) -> Result<Value, Malformed> {
    let mut found = Map::new();
    let Some(input) = operation.input else { return Ok(Value::Object(found)) };
    let query = query_pairs(parts);
    for member in model.members(input) {
        let value = match member.location {
            Location::Uri => labels
                .iter()
                .find(|(name, _)| name == member.wire_name())
                // Decoded exactly once: the ARN for IAM's decision and the object's key both come from this text.
                .map(|(_, text)| scalar_of(model, member.shape, &decode_once(text).map_err(Malformed::Uri)?))
                .transpose(),
            Location::Query => from_query(model, operation, member, &query),
            Location::Header => from_header(model, member, &parts.headers),
            Location::Headers => Ok(from_headers(member, &parts.headers)),
            Location::Body | Location::Status => Ok(None),
        };
        if let Some(value) = value.map_err(|e| e.below(member.wire_name()))? {
            found.insert(member.name.clone(), value);
        }
    }
    read_body(model, operation, input, body, &mut found)?;
    Ok(Value::Object(found))
}

fn scalar_of(model: &ServiceModel, shape: ShapeId, text: &str) -> Result<Value, Malformed> {
    let shape = model.shape(shape);
    scalar::from_text(shape, text).ok_or_else(|| Malformed::value("", text, shape.kind.name()))
}

fn from_query(
    model: &ServiceModel,
    operation: &Operation,
    member: &Member,
    query: &[(String, String)],
) -> Result<Option<Value>, Malformed> {
    let name = member.wire_name();
    let mut values = query.iter().filter(|(k, _)| k == name).map(|(_, v)| v);
    match &model.shape(member.shape).kind {
        Kind::List { item, .. } => {
            let items: Vec<Value> =
                values.map(|v| scalar_of(model, item.shape, v)).collect::<Result<_, _>>()?;
            Ok((!items.is_empty()).then_some(Value::Array(items)))
        }
        Kind::Map { value, .. } => {
            // The map gets every key that is no other member's.
            let members = operation.input.map_or(&[][..], |i| model.members(i));
            let taken = |key: &str| {
                members
                    .iter()
                    .any(|m| m.location == Location::Query && m.name != member.name && m.wire_name() == key)
            };
            let lists = matches!(model.shape(value.shape).kind, Kind::List { .. });
            let mut map = Map::new();
            for (key, text) in query.iter().filter(|(k, _)| !taken(k)) {
                match map.entry(key.clone()).or_insert_with(|| Value::Array(Vec::new())) {
                    Value::Array(items) if lists => items.push(text.clone().into()),
                    slot => *slot = text.clone().into(),
                }
            }
            Ok((!map.is_empty()).then_some(Value::Object(map)))
        }
        _ => values.next().map(|v| scalar_of(model, member.shape, v)).transpose(),
    }
}

fn from_header(
    model: &ServiceModel,
    member: &Member,
    headers: &HeaderMap,
) -> Result<Option<Value>, Malformed> {
    let Kind::List { item, .. } = &model.shape(member.shape).kind else {
        let text = header(headers, member.wire_name());
        return text.map(|text| scalar_of(model, member.shape, text)).transpose();
    };
    let lines: Vec<&str> =
        headers.get_all(member.wire_name()).iter().filter_map(|v| v.to_str().ok()).collect();
    if lines.is_empty() {
        return Ok(None);
    }
    let dates = matches!(model.shape(item.shape).kind, Kind::Timestamp(_));
    let texts = split_header(&lines.join(","), dates);
    let items = texts.iter().map(|text| scalar_of(model, item.shape, text));
    items.collect::<Result<Vec<_>, _>>().map(|items| Some(Value::Array(items)))
}

/// The items of a header, separated by commas and possibly quoted. An HTTP date contains a comma itself.
fn split_header(line: &str, dates: bool) -> Vec<String> {
    if dates && line.contains("GMT") {
        let dates = line.split("GMT").map(|d| d.trim_start_matches([',', ' ']).trim());
        return dates.filter(|d| !d.is_empty()).map(|d| format!("{d} GMT")).collect();
    }
    let (mut items, mut item) = (Vec::new(), String::new());
    let (mut quoted, mut letters) = (false, line.chars());
    while let Some(c) = letters.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' if quoted => item.extend(letters.next()),
            ',' if !quoted => items.push(std::mem::take(&mut item)),
            c => item.push(c),
        }
    }
    items.push(item);
    items.into_iter().map(|i| i.trim().to_owned()).filter(|i| !i.is_empty()).collect()
}

fn from_headers(member: &Member, headers: &HeaderMap) -> Option<Value> {
    let prefix = member.wire_name().to_ascii_lowercase();
    let mut map = Map::new();
    for (name, value) in headers {
        let Some(key) = name.as_str().strip_prefix(&prefix) else { continue };
        map.insert(key.to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned().into());
    }
    (!map.is_empty()).then_some(Value::Object(map))
}

fn read_body(
    model: &ServiceModel,
    operation: &Operation,
    input: ShapeId,
    body: &[u8],
    found: &mut Map<String, Value>,
) -> Result<(), Malformed> {
    // An operation that takes a stream reads the body itself.
    if operation.streams_in().is_some() || body.is_empty() {
        return Ok(());
    }
    let payload = model.shape(input).structure().and_then(|s| s.payload());
    let Some(member) = payload else {
        if model.members(input).iter().any(|m| m.location == Location::Body)
            && let Value::Object(read) = xml::read(model, input, &xml::parse(body)?)?
        {
            found.extend(read);
        }
        return Ok(());
    };
    let value = match &model.shape(member.shape).kind {
        Kind::Blob => STANDARD.encode(body).into(),
        Kind::String => {
            let text = std::str::from_utf8(body)
                .map_err(|e| Malformed::Body(format!("the body is not UTF-8: {e}")))?;
            text.into()
        }
        _ => xml::read(model, member.shape, &xml::parse(body)?).map_err(|e| e.below(&member.name))?,
    };
    found.insert(member.name.clone(), value);
    Ok(())
}

pub(super) fn encode(
    model: &ServiceModel,
    operation: &Operation,
    output: &Value,
    request_id: &str,
) -> Response<Bytes> {
    let body = body(model, operation, output);
    let (mut parts, ()) = encode_head(model, operation, output, request_id).into_parts();
    if operation.method != "HEAD" {
        // The length is that of the body made here; only an answer to HEAD has the length of a body that is not sent.
        parts.headers.remove("content-length");
    }
    if !body.is_empty() && !parts.headers.contains_key("content-type") {
        parts.headers.insert("content-type", http::HeaderValue::from_static("application/xml"));
    }
    Response::from_parts(parts, body)
}

pub(super) fn encode_head(
    model: &ServiceModel,
    operation: &Operation,
    output: &Value,
    request_id: &str,
) -> Response<()> {
    let mut response = Response::new(());
    let of_s3 = if model.id == "s3" { s3_names::status(&operation.name) } else { None };
    let status = of_s3.unwrap_or(operation.status);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    request_ids(&mut response, request_id);
    for member in operation.output.map_or(&[][..], |o| model.members(o)) {
        let Some(value) = output.get(&member.name).filter(|v| !v.is_null()) else { continue };
        match (member.location, value) {
            (Location::Header, value) => {
                if let Some(text) = header_text(model, member, value) {
                    set(&mut response, member.wire_name(), &text);
                }
            }
            (Location::Headers, Value::Object(map)) => {
                for (key, text) in map.iter().filter_map(|(k, v)| Some((k, v.as_str()?))) {
                    set(&mut response, &format!("{}{key}", member.wire_name()), text);
                }
            }
            (Location::Status, value) => {
                let status = value.as_u64().and_then(|n| StatusCode::from_u16(n as u16).ok());
                status.inspect(|status| *response.status_mut() = *status);
            }
            _ => {}
        }
    }
    // The model's status is 200 also for a part of an object, which is a 206 (RFC 9110, 15.3.7).
    if response.status() == StatusCode::OK && response.headers().contains_key("content-range") {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    response
}

fn header_text(model: &ServiceModel, member: &Member, value: &Value) -> Option<String> {
    let Kind::List { item, .. } = &model.shape(member.shape).kind else {
        return Some(scalar::to_text(model.shape(member.shape), value, Location::Header));
    };
    let item = model.shape(item.shape);
    let quoted = |value: &Value| {
        let text = scalar::to_text(item, value, Location::Header);
        let quote = matches!(item.kind, Kind::String) && text.contains([',', '"']);
        if quote { format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")) } else { text }
    };
    let items: Vec<String> = value.as_array()?.iter().map(quoted).collect();
    (!items.is_empty()).then(|| items.join(", "))
}

fn body(model: &ServiceModel, operation: &Operation, output: &Value) -> Bytes {
    let Some(shape) = operation.output.filter(|_| operation.method != "HEAD") else { return Bytes::new() };
    let Some(structure) = model.shape(shape).structure() else { return Bytes::new() };
    let mut xml = Writer::new(model);
    if let Some(member) = structure.payload() {
        let target = model.shape(member.shape);
        match (&target.kind, output.get(&member.name)) {
            (Kind::String, Some(Value::String(text))) => return text.clone().into(),
            (Kind::Blob, Some(Value::String(text))) => {
                return STANDARD.decode(text).unwrap_or_default().into();
            }
            (Kind::Structure(_), Some(value)) => {
                let root = member.location_name().unwrap_or(&target.name);
                xml.root(root, member.shape, value);
            }
            _ => {}
        }
    } else if structure.members.iter().any(|m| m.location == Location::Body) {
        let s3_root = if model.id == "s3" { s3_names::root(&operation.name) } else { None };
        let root = s3_root.unwrap_or(&model.shape(shape).name);
        if root == "LocationConstraint" {
            // In this answer only, the member is the text of the root; it is empty for us-east-1.
            xml.head();
            xml.open_in(root, &model.xml_namespace);
            xml.text(output.get(root).and_then(Value::as_str).unwrap_or(""));
            xml.close(root);
        } else {
            xml.root(root, shape, output);
        }
    }
    xml.finish().into()
}

pub(super) fn encode_error(
    model: &ServiceModel,
    code: &str,
    error: &AwsError,
    request_id: &str,
    resource: &str,
) -> String {
    let mut xml = Writer::new(model);
    xml.head();
    if model.id == "s3" {
        xml.open("Error");
        xml.leaf("Code", code);
        xml.leaf("Message", &error.message);
        // S3's model has few errors and does not list the other members (`BucketName`, `Key`).
        for (name, text) in error.extra.iter().filter_map(|(k, v)| Some((k, v.as_str()?))) {
            xml.leaf(name, text);
        }
        xml.leaf("Resource", resource);
        xml.leaf("RequestId", request_id);
        xml.leaf("HostId", request_id);
        xml.close("Error");
        return xml.finish();
    }
    xml.open_in("ErrorResponse", &model.xml_namespace);
    xml.open("Error");
    xml.leaf("Type", if error.status < 500 { "Sender" } else { "Receiver" });
    xml.leaf("Code", code);
    message(&mut xml, error);
    extra_members(&mut xml, model, error);
    xml.close("Error");
    xml.leaf("RequestId", request_id);
    xml.close("ErrorResponse");
    xml.finish()
}

//! Smithy RPC v2 CBOR, which current SDKs use for CloudWatch.
//! Source: <https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html>

use crate::fault::Malformed;
use crate::scalar;
use base64::{Engine, engine::general_purpose::STANDARD};
use ciborium::Value as Cbor;
use escale_base::AwsError;
use escale_model::{Kind, Operation, ServiceModel, ShapeId};
use serde_json::{Map, Value};

pub(super) fn decode(model: &ServiceModel, operation: &Operation, body: &[u8]) -> Result<Value, Malformed> {
    let Some(input) = operation.input.filter(|_| !body.is_empty()) else {
        return Ok(Value::Object(Map::new()));
    };
    super::count::cbor(body)?;
    let tree: Cbor = ciborium::from_reader(body)
        .map_err(|e| Malformed::Body(format!("the body is not valid CBOR: {e}")))?;
    read(model, input, tree)
}

fn read(model: &ServiceModel, shape: ShapeId, value: Cbor) -> Result<Value, Malformed> {
    let kind = &model.shape(shape).kind;
    Ok(match (kind, value) {
        (Kind::Structure(structure), Cbor::Map(entries)) => {
            let mut found = Map::new();
            for (key, inner) in entries {
                // Members that the model does not have are ignored in every protocol but EC2's, and a null counts as absent.
                let member = key.as_text().and_then(|name| structure.member(name));
                if let Some(member) = member.filter(|_| !inner.is_null()) {
                    let inner = read(model, member.shape, inner).map_err(|e| e.below(&member.name))?;
                    found.insert(member.name.clone(), inner);
                }
            }
            Value::Object(found)
        }
        (Kind::List { item, .. }, Cbor::Array(items)) => {
            let items = items.into_iter().map(|inner| read_item(model, item.shape, inner));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        (Kind::Map { value, .. }, Cbor::Map(entries)) => {
            let mut found = Map::new();
            for (key, inner) in entries {
                let Cbor::Text(key) = key else {
                    return Err(Malformed::value("", kind_of(&key), "a map key"));
                };
                let inner = read_item(model, value.shape, inner).map_err(|e| e.below(&key))?;
                found.insert(key, inner);
            }
            Value::Object(found)
        }
        // Tag 1 marks seconds since 1970 (RFC 8949, section 3.4.2).
        (Kind::Timestamp(_), Cbor::Tag(1, inner)) => number(&inner)
            .map(Value::from)
            .ok_or_else(|| Malformed::value("", kind_of(&inner), kind.name()))?,
        (Kind::Blob, Cbor::Bytes(bytes)) => STANDARD.encode(bytes).into(),
        (Kind::String, Cbor::Text(text)) => text.into(),
        (Kind::Boolean, Cbor::Bool(flag)) => flag.into(),
        (Kind::Integer { long }, Cbor::Integer(n)) => i64::try_from(i128::from(n))
            .ok()
            .and_then(|n| scalar::integer(n, *long))
            .ok_or_else(|| Malformed::value("", "an integer out of range", kind.name()))?,
        (Kind::Float, ref found @ (Cbor::Float(_) | Cbor::Integer(_))) => float(number(found).unwrap_or(0.0)),
        (kind, other) => return Err(Malformed::value("", kind_of(&other), kind.name())),
    })
}

fn read_item(model: &ServiceModel, shape: ShapeId, value: Cbor) -> Result<Value, Malformed> {
    if value.is_null() { Ok(Value::Null) } else { read(model, shape, value) }
}

fn number(value: &Cbor) -> Option<f64> {
    match value {
        Cbor::Float(f) => Some(*f),
        Cbor::Integer(n) => Some(i128::from(*n) as f64),
        _ => None,
    }
}

/// JSON has no infinities. The tree has them as text, as AWS's JSON does.
fn float(f: f64) -> Value {
    match f {
        f if f.is_nan() => "NaN".into(),
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        f => f.into(),
    }
}

fn kind_of(value: &Cbor) -> &'static str {
    match value {
        Cbor::Integer(_) => "an integer",
        Cbor::Bytes(_) => "bytes",
        Cbor::Float(_) => "a float",
        Cbor::Text(_) => "text",
        Cbor::Bool(_) => "a boolean",
        Cbor::Null => "null",
        Cbor::Tag(..) => "a tagged value",
        Cbor::Array(_) => "an array",
        Cbor::Map(_) => "a map",
        _ => "an unknown value",
    }
}

pub(super) fn encode(model: &ServiceModel, operation: &Operation, output: &Value) -> Vec<u8> {
    operation.output.map_or_else(Vec::new, |shape| bytes(&write(model, shape, output)))
}

pub(super) fn encode_error(model: &ServiceModel, name: &str, error: &AwsError) -> Vec<u8> {
    let mut entries = vec![(Cbor::Text("__type".into()), Cbor::Text(name.to_owned()))];
    if !error.message.is_empty() {
        let key = super::message_name(model, error).to_owned();
        entries.push((Cbor::Text(key), Cbor::Text(error.message.clone())));
    }
    if let Some(structure) = model.error(&error.code).and_then(|s| s.structure()) {
        for member in &structure.members {
            if let Some(inner) = error.member(&member.name) {
                entries.push((Cbor::Text(member.name.clone()), write(model, member.shape, inner)));
            }
        }
    }
    bytes(&Cbor::Map(entries))
}

fn bytes(value: &Cbor) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).expect("writing to memory does not fail");
    out
}

fn write(model: &ServiceModel, shape: ShapeId, value: &Value) -> Cbor {
    match (&model.shape(shape).kind, value) {
        (Kind::Structure(structure), Value::Object(object)) => {
            let there = structure
                .members
                .iter()
                .filter_map(|m| Some((m, object.get(&m.name).filter(|v| !v.is_null())?)));
            Cbor::Map(there.map(|(m, v)| (Cbor::Text(m.name.clone()), write(model, m.shape, v))).collect())
        }
        (Kind::List { item, .. }, Value::Array(items)) => {
            Cbor::Array(items.iter().map(|inner| write(model, item.shape, inner)).collect())
        }
        (Kind::Map { value, .. }, Value::Object(object)) => Cbor::Map(
            object.iter().map(|(k, v)| (Cbor::Text(k.clone()), write(model, value.shape, v))).collect(),
        ),
        (_, Value::Null) => Cbor::Null,
        (Kind::Timestamp(_), value) => Cbor::Tag(1, Box::new(Cbor::Float(value.as_f64().unwrap_or(0.0)))),
        (Kind::Float, value) => Cbor::Float(match value.as_str() {
            Some("NaN") => f64::NAN,
            Some("Infinity") => f64::INFINITY,
            Some("-Infinity") => f64::NEG_INFINITY,
            _ => value.as_f64().unwrap_or(0.0),
        }),
        (Kind::Blob, Value::String(text)) => Cbor::Bytes(STANDARD.decode(text).unwrap_or_default()),
        (_, Value::String(text)) => Cbor::Text(text.clone()),
        (_, Value::Bool(flag)) => Cbor::Bool(*flag),
        (_, Value::Number(n)) => {
            n.as_i64().map_or_else(|| Cbor::Float(n.as_f64().unwrap_or(0.0)), |i| Cbor::Integer(i.into()))
        }
        _ => Cbor::Null,
    }
}

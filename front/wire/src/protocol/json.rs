//! AWS JSON 1.0 and 1.1. The body is nearly the tree: only names can differ, and timestamps may be text.

use crate::fault::Malformed;
use crate::scalar;
use escale_base::AwsError;
use escale_model::{Kind, Location, Operation, ServiceModel, ShapeId, TimeFormat};
use serde_json::{Map, Value};

pub(super) fn decode(model: &ServiceModel, operation: &Operation, body: &[u8]) -> Result<Value, Malformed> {
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    super::count::json(body)?;
    let tree: Value = serde_json::from_slice(body)
        .map_err(|e| Malformed::Body(format!("the body is not valid JSON: {e}")))?;
    match operation.input {
        Some(input) => read(model, input, tree),
        None => Ok(Value::Object(Map::new())),
    }
}

/// Drops nulls and members that the model does not have; a value of the wrong kind is an error.
fn read(model: &ServiceModel, shape: ShapeId, value: Value) -> Result<Value, Malformed> {
    let kind = &model.shape(shape).kind;
    Ok(match (kind, value) {
        (Kind::Structure(structure), Value::Object(mut object)) => {
            let mut found = Map::new();
            for member in &structure.members {
                if let Some(inner) = object.remove(member.wire_name()).filter(|v| !v.is_null()) {
                    let inner = read(model, member.shape, inner).map_err(|e| e.below(&member.name))?;
                    found.insert(member.name.clone(), inner);
                }
            }
            Value::Object(found)
        }
        (Kind::List { item, .. }, Value::Array(items)) => {
            let items = items.into_iter().map(|inner| read_item(model, item.shape, inner));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        (Kind::Map { value, .. }, Value::Object(object)) => {
            let mut found = Map::new();
            for (key, inner) in object {
                let inner = read_item(model, value.shape, inner).map_err(|e| e.below(&key))?;
                found.insert(key, inner);
            }
            Value::Object(found)
        }
        (Kind::Integer { long }, Value::Number(n)) => {
            // Clients write whole numbers as `1e3`, too. Beyond 64 bits the conversion would give the nearest number.
            let fits = |f: &f64| f.fract() == 0.0 && (-(2f64.powi(63))..2f64.powi(63)).contains(f);
            let whole = n.as_i64().or_else(|| n.as_f64().filter(fits).map(|f| f as i64));
            let fitting = whole.and_then(|n| scalar::integer(n, *long));
            fitting.ok_or_else(|| Malformed::value("", &n.to_string(), kind.name()))?
        }
        (Kind::Float, Value::String(text)) if matches!(&*text, "NaN" | "Infinity" | "-Infinity") => {
            text.into()
        }
        (Kind::Timestamp(_), Value::String(text)) => {
            scalar::parse_time(&text).ok_or_else(|| Malformed::value("", "STRING_VALUE", kind.name()))?.into()
        }
        (Kind::String | Kind::Blob, value @ Value::String(_))
        | (Kind::Float | Kind::Timestamp(_), value @ Value::Number(_))
        | (Kind::Boolean, value @ Value::Bool(_))
        | (Kind::Document, value) => value,
        (Kind::Structure(_), Value::Null) => Value::Object(Map::new()),
        (kind, other) => return Err(Malformed::value("", kind_of(&other), kind.name())),
    })
}

/// Keeps a null in a list or map: the model may allow sparse ones.
fn read_item(model: &ServiceModel, shape: ShapeId, value: Value) -> Result<Value, Malformed> {
    if value.is_null() { Ok(Value::Null) } else { read(model, shape, value) }
}

/// The names of AWS's own JSON reader, which its errors show.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    }
}

pub(super) fn encode(model: &ServiceModel, operation: &Operation, output: &Value) -> String {
    operation.output.map_or_else(|| "{}".to_owned(), |shape| write(model, shape, output).to_string())
}

fn write(model: &ServiceModel, shape: ShapeId, value: &Value) -> Value {
    match (&model.shape(shape).kind, value) {
        (Kind::Structure(structure), Value::Object(object)) => {
            let mut found = Map::new();
            for member in &structure.members {
                if let Some(inner) = object.get(&member.name).filter(|v| !v.is_null()) {
                    found.insert(member.wire_name().to_owned(), write(model, member.shape, inner));
                }
            }
            Value::Object(found)
        }
        (Kind::List { item, .. }, Value::Array(items)) => {
            Value::Array(items.iter().map(|inner| write(model, item.shape, inner)).collect())
        }
        (Kind::Map { value, .. }, Value::Object(object)) => Value::Object(
            object.iter().map(|(k, inner)| (k.clone(), write(model, value.shape, inner))).collect(),
        ),
        // Seconds are the default; a shape may require text.
        (Kind::Timestamp(Some(format)), Value::Number(_)) if *format != TimeFormat::UnixTimestamp => {
            scalar::to_text(model.shape(shape), value, Location::Body).into()
        }
        (_, other) => other.clone(),
    }
}

pub(super) fn encode_error(model: &ServiceModel, name: &str, error: &AwsError) -> String {
    let mut object = Map::new();
    object.insert("__type".into(), name.into());
    if !error.message.is_empty() {
        object.insert(super::message_name(model, error).to_owned(), error.message.clone().into());
    }
    match model.error(&error.code).and_then(|s| s.structure()) {
        Some(structure) => {
            for member in &structure.members {
                if let Some(inner) = error.member(&member.name) {
                    object.insert(member.wire_name().to_owned(), write(model, member.shape, inner));
                }
            }
        }
        None => object.extend(error.extra.clone()),
    }
    Value::Object(object).to_string()
}

//! Reads a shape's value from the tree of an XML body.

use super::tree::Element;
use crate::{fault::Malformed, scalar};
use escale_model::{Kind, Location, Member, ServiceModel, ShapeId};
use serde_json::{Map, Value};

/// The root element of a request's body.
pub(crate) fn parse(body: &[u8]) -> Result<Element, Malformed> {
    Element::parse(body).map_err(|error| Malformed::Body(error.to_string()))
}

/// The value of `shape` in an element. Elements that the model does not have are skipped, as AWS does.
pub(crate) fn read(model: &ServiceModel, shape: ShapeId, element: &Element) -> Result<Value, Malformed> {
    let target = model.shape(shape);
    match &target.kind {
        Kind::Structure(structure) => {
            let mut found = Map::new();
            for member in structure.members.iter().filter(|m| m.location == Location::Body) {
                let value = read_member(model, member, element).map_err(|e| e.below(&member.name))?;
                if let Some(value) = value {
                    found.insert(member.name.clone(), value);
                }
            }
            Ok(Value::Object(found))
        }
        Kind::List { item, .. } => {
            let items = element.children.iter().map(|child| read(model, item.shape, child));
            items.collect::<Result<_, _>>().map(Value::Array)
        }
        Kind::Map { key, value, .. } => read_entries(model, key, value, element.children.iter()),
        kind => scalar::from_text(target, &element.text)
            .ok_or_else(|| Malformed::value("", &element.text, kind.name())),
    }
}

fn read_member(model: &ServiceModel, member: &Member, outer: &Element) -> Result<Option<Value>, Malformed> {
    let name = member.wire_name();
    if member.xml_attribute {
        let attribute = outer.attributes.iter().find(|(k, _)| k == name);
        return Ok(attribute.map(|(_, text)| Value::String(text.clone())));
    }
    match &model.shape(member.shape).kind {
        Kind::List { item, flattened } if *flattened || member.flattened => {
            let item_name = item.location_name().unwrap_or(name);
            let items = outer.children.iter().filter(|c| c.name == item_name || c.name == name);
            let items = items.map(|c| read(model, item.shape, c)).collect::<Result<Vec<_>, _>>()?;
            Ok((!items.is_empty()).then_some(Value::Array(items)))
        }
        Kind::Map { key, value, flattened } if *flattened || member.flattened => {
            let map = read_entries(model, key, value, outer.named(name))?;
            Ok(map.as_object().is_some_and(|m| !m.is_empty()).then_some(map))
        }
        _ => outer.child(name).map(|c| read(model, member.shape, c)).transpose(),
    }
}

fn read_entries<'a>(
    model: &ServiceModel,
    key: &Member,
    value: &Member,
    entries: impl Iterator<Item = &'a Element>,
) -> Result<Value, Malformed> {
    let mut map = Map::new();
    for entry in entries {
        let k = entry.child(key.location_name().unwrap_or("key"));
        let v = entry.child(value.location_name().unwrap_or("value"));
        if let (Some(k), Some(v)) = (k, v) {
            map.insert(k.text.clone(), read(model, value.shape, v).map_err(|e| e.below(&k.text))?);
        }
    }
    Ok(Value::Object(map))
}

//! Parses an XML body to a tree of elements, and reads a shape's value from it. DTDs are refused, so there are no entities to
//! expand; the depth is limited, so recursion cannot exhaust the stack; elements and attributes are counted, so that a small
//! body cannot become a large tree.

use crate::fault::Malformed;
use crate::scalar;
use escale_base::limits::request as limits;
use escale_model::{Kind, Location, Member, ServiceModel, ShapeId};
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, escape};
use serde_json::{Map, Value};

/// Deeper than any modelled shape; CloudFront's deepest is 12.
const MAX_DEPTH: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Element>,
}

/// The root element of a body.
pub(crate) fn parse(body: &[u8]) -> Result<Element, Malformed> {
    let malformed = |what: String| Malformed::Body(format!("the body is not well-formed XML: {what}"));
    let text = std::str::from_utf8(body).map_err(|e| malformed(e.to_string()))?;
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    let mut left = limits::XML_NODES;
    loop {
        let event = reader.read_event().map_err(|e| malformed(e.to_string()))?;
        let depth = open.len();
        let Some(inner) = open.last_mut() else { return Err(malformed("too many closing tags".into())) };
        match event {
            Event::Start(start) => {
                if depth > MAX_DEPTH {
                    return Err(malformed(format!("it nests deeper than {MAX_DEPTH}")));
                }
                open.push(element(&start, &mut left)?);
            }
            Event::Empty(start) => inner.children.push(element(&start, &mut left)?),
            Event::End(_) => {
                if let (Some(done), Some(outer)) = (open.pop(), open.last_mut()) {
                    outer.children.push(done);
                }
            }
            Event::Text(t) => inner.text.push_str(&t.decode().map_err(|e| malformed(e.to_string()))?),
            Event::CData(t) => inner.text.push_str(&t.decode().map_err(|e| malformed(e.to_string()))?),
            Event::GeneralRef(reference) => {
                let name = reference.decode().map_err(|e| malformed(e.to_string()))?;
                let character = reference.resolve_char_ref().map_err(|e| malformed(e.to_string()))?;
                match (character, escape::resolve_predefined_entity(&name)) {
                    (Some(c), _) => inner.text.push(c),
                    (None, Some(text)) => inner.text.push_str(text),
                    (None, None) => return Err(malformed(format!("the entity &{name}; is not defined"))),
                }
            }
            Event::DocType(_) => return Err(malformed("a DOCTYPE is not allowed".into())),
            Event::Eof => break,
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
        }
    }
    if open.len() != 1 {
        return Err(malformed("an element is not closed".into()));
    }
    let root = open.pop().and_then(|root| root.children.into_iter().next());
    root.ok_or_else(|| malformed("there is no element".into()))
}

/// `left` is the number of further elements and attributes that the body may have.
fn element(start: &BytesStart<'_>, left: &mut usize) -> Result<Element, Malformed> {
    let malformed = |what: String| Malformed::Body(format!("the body is not well-formed XML: {what}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut count = |kind: &str| {
        *left = left.checked_sub(1).ok_or_else(|| {
            let most = limits::XML_NODES;
            Malformed::Body(format!(
                "the body has one {kind} too many: {most} elements and attributes are allowed"
            ))
        })?;
        Ok(())
    };
    count("element")?;
    let mut attributes: Vec<(String, String)> = Vec::new();
    // The library's own check for duplicates takes minutes for a tag with thousands of attributes: it compares all pairs.
    for attribute in start.attributes().with_checks(false) {
        count("attribute")?;
        if attributes.len() == limits::XML_ATTRIBUTES {
            let most = limits::XML_ATTRIBUTES;
            return Err(malformed(format!("an element has more than {most} attributes")));
        }
        let attribute = attribute.map_err(|e| malformed(e.to_string()))?;
        let value = attribute.unescape_value().map_err(|e| malformed(e.to_string()))?;
        let name = text(attribute.key.as_ref());
        if attributes.iter().any(|(known, _)| *known == name) {
            return Err(malformed(format!("an element has the attribute {name} twice")));
        }
        attributes.push((name, value.into_owned()));
    }
    Ok(Element { name: text(start.local_name().as_ref()), attributes, ..Element::default() })
}

impl Element {
    fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|c| c.name == name)
    }

    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |c| c.name == name)
    }
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

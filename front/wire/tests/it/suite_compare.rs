//! Compares answers by meaning: XML by its tree, JSON and CBOR by their values.

use base64::{Engine, engine::general_purpose::STANDARD};
use escale_model::{Kind, Protocol, ServiceModel, ShapeId};
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

/// An element with its attributes and children in a fixed order; whitespace between elements is ignored.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Element>,
}

pub(crate) fn xml(text: &str) -> Element {
    let mut reader = quick_xml::Reader::from_str(text);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Start(start) => open.push(element(&start)),
            Event::Empty(start) => open.last_mut().unwrap().children.push(element(&start)),
            Event::End(_) => {
                let done = settled(open.pop().unwrap());
                open.last_mut().unwrap().children.push(done);
            }
            Event::Text(t) => open.last_mut().unwrap().text.push_str(&t.decode().unwrap()),
            Event::CData(t) => open.last_mut().unwrap().text.push_str(&t.decode().unwrap()),
            Event::GeneralRef(r) => {
                let name = r.decode().unwrap();
                let text = match r.resolve_char_ref().unwrap() {
                    Some(c) => c.to_string(),
                    None => quick_xml::escape::resolve_predefined_entity(&name).unwrap().to_owned(),
                };
                open.last_mut().unwrap().text.push_str(&text);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    settled(open.pop().unwrap())
}

fn element(start: &BytesStart<'_>) -> Element {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let attributes = start.attributes().map(|a| a.unwrap());
    let attributes = attributes.map(|a| (text(a.key.as_ref()), a.unescape_value().unwrap().into_owned()));
    let mut attributes: Vec<_> = attributes.filter(|(k, _)| !k.starts_with("xmlns")).collect();
    attributes.sort();
    Element { name: text(start.local_name().as_ref()), attributes, ..Element::default() }
}

fn settled(mut element: Element) -> Element {
    if !element.children.is_empty() || element.text.trim().is_empty() && element.text.contains('\n') {
        element.text.clear();
    }
    // Members may have any order. The sort by name is stable, so the items of a list keep theirs.
    element.children.sort_by(|a, b| a.name.cmp(&b.name));
    // Each answer has an id of its own.
    element
        .children
        .retain(|c| !matches!(c.name.as_str(), "RequestId" | "requestId" | "RequestID" | "ResponseMetadata"));
    element
}

impl Element {
    /// The element in one line, with all times and numbers in the same form.
    pub(crate) fn shown(&self) -> String {
        let attributes: Vec<String> = self.attributes.iter().map(|(k, v)| format!("@{k}={v} ")).collect();
        let children: Vec<String> = self.children.iter().map(Element::shown).collect();
        let text = time_of(&self.text)
            .map(|secs| secs.to_string())
            .or_else(|| self.text.parse::<f64>().ok().map(|n| n.to_string()))
            .unwrap_or_else(|| format!("{:?}", self.text));
        let text = if self.children.is_empty() { text } else { String::new() };
        format!("{}({}{text}{})", self.name, attributes.concat(), children.join(" "))
    }

    /// The document with another name of its root element.
    pub(crate) fn root_renamed(mut self, name: &str) -> Element {
        if let Some(root) = self.children.first_mut() {
            root.name = name.to_owned();
        }
        self
    }
}

pub(crate) fn cbor(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Object(Map::new());
    }
    plain(ciborium::from_reader::<ciborium::Value, _>(bytes).expect("CBOR"))
}

fn plain(value: ciborium::Value) -> Value {
    use ciborium::Value as C;
    match value {
        C::Text(text) => text.into(),
        C::Bool(flag) => flag.into(),
        C::Null => Value::Null,
        C::Integer(n) => (i128::from(n) as f64).into(),
        C::Float(f) if f.is_finite() => f.into(),
        C::Float(f) => f.to_string().into(),
        C::Bytes(bytes) => STANDARD.encode(bytes).into(),
        C::Array(items) => items.into_iter().map(plain).collect(),
        C::Map(entries) => entries
            .into_iter()
            .map(|(k, v)| (k.into_text().expect("text"), plain(v)))
            .collect::<Map<_, _>>()
            .into(),
        C::Tag(tag, inner) => serde_json::json!({ "tag": tag, "value": plain(*inner) }),
        other => panic!("{other:?}"),
    }
}

/// The value with all numbers as floats, so that `1` equals `1.0`, and without nulls in objects.
pub(crate) fn settled_json(value: Value) -> Value {
    match value {
        Value::Number(n) => n.as_f64().unwrap().into(),
        Value::Array(items) => items.into_iter().map(settled_json).collect(),
        Value::Object(object) => {
            let there = object.into_iter().filter(|(_, v)| !v.is_null());
            Value::Object(there.map(|(k, v)| (k, settled_json(v))).collect())
        }
        other => other,
    }
}

/// Converts the suite's values to the tree's form: the suite has blobs as plain text.
pub(crate) fn tree(model: &ServiceModel, shape: ShapeId, value: &Value) -> Value {
    match (&model.shape(shape).kind, value) {
        (_, Value::Null) => Value::Null,
        (Kind::Structure(structure), Value::Object(object)) => {
            let known = object.iter().filter_map(|(k, v)| Some((k, v, structure.member(k)?)));
            Value::Object(known.map(|(k, v, m)| (k.clone(), tree(model, m.shape, v))).collect())
        }
        (Kind::List { item, .. }, Value::Array(items)) => {
            items.iter().map(|v| tree(model, item.shape, v)).collect()
        }
        (Kind::Map { value: inner, .. }, Value::Object(object)) => {
            Value::Object(object.iter().map(|(k, v)| (k.clone(), tree(model, inner.shape, v))).collect())
        }
        (Kind::Blob, Value::String(text)) => STANDARD.encode(text).into(),
        (_, other) => other.clone(),
    }
}

/// Whether two bodies of a protocol mean the same.
pub(crate) fn same_body(
    protocol: Protocol,
    media_is_xml: bool,
    found: &[u8],
    expected: &[u8],
) -> Result<(), String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    let json = |bytes: &[u8]| match bytes {
        b"" => Value::Object(Map::new()),
        bytes => serde_json::from_slice(bytes).expect("JSON"),
    };
    match protocol {
        Protocol::Json => same_tree(json(found), json(expected)),
        Protocol::Cbor => same_tree(cbor(found), cbor(expected)),
        // An answer without members may be a root element alone, or empty.
        _ if media_is_xml
            && expected.is_empty()
            && xml(&text(found)).children.iter().all(|r| r.children.is_empty()) =>
        {
            Ok(())
        }
        _ if media_is_xml && !found.is_empty() && !expected.is_empty() => {
            let expected = xml(&text(expected));
            let name = expected.children.first().map(|r| r.name.clone()).unwrap_or_default();
            // Root names are not compared: the suite's are invented.
            same(&xml(&text(found)).root_renamed(&name).shown(), &expected.shown())
        }
        _ => same(&text(found), &text(expected)),
    }
}

fn same_tree(found: Value, expected: Value) -> Result<(), String> {
    let (found, expected) = (in_one_form(settled_json(found)), in_one_form(settled_json(expected)));
    if found == expected { Ok(()) } else { Err(format!("found {found:#}\nexpected {expected:#}")) }
}

fn same(found: &str, expected: &str) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("found {found}\nexpected {expected}")) }
}

/// The value with all times as seconds, and error types without namespace and URL.
fn in_one_form(value: Value) -> Value {
    match value {
        Value::String(text) => match time_of(&text) {
            Some(secs) => secs.into(),
            None => text.into(),
        },
        Value::Array(items) => items.into_iter().map(in_one_form).collect(),
        Value::Object(object) => {
            let entries =
                object.into_iter().map(|(key, value)| match value.as_str().filter(|_| key == "__type") {
                    Some(name) => {
                        let name = name.rsplit_once('#').map_or(name, |(_, name)| name);
                        (key, name.split(':').next().unwrap_or(name).into())
                    }
                    None => (key, in_one_form(value)),
                });
            Value::Object(entries.collect())
        }
        other => other,
    }
}

fn time_of(text: &str) -> Option<f64> {
    let at = escale_base::Timestamp::parse_iso8601(text)
        .or_else(|| escale_base::Timestamp::parse_http_date(text))?;
    Some(at.0 as f64 / 1000.0)
}

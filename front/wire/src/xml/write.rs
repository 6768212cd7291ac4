//! Writes a value as XML under the model's names: for query, EC2 and REST-XML answers.

use crate::scalar;
use escale_model::{Kind, Location, Member, ServiceModel, ShapeId};
use quick_xml::escape::escape;
use serde_json::{Map, Value};

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

pub(crate) struct Writer<'a> {
    model: &'a ServiceModel,
    out: String,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(model: &'a ServiceModel) -> Writer<'a> {
        Writer { model, out: String::with_capacity(512) }
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }

    pub(crate) fn head(&mut self) {
        self.out.push_str(HEAD);
    }

    pub(crate) fn open(&mut self, name: &str) {
        self.open_with(name, &[]);
    }

    pub(crate) fn open_in(&mut self, name: &str, namespace: &str) {
        self.open_with(name, &[("xmlns".to_owned(), namespace.to_owned())]);
    }

    /// A document whose root is a structure.
    pub(crate) fn root(&mut self, name: &str, shape: ShapeId, value: &Value) {
        let mut all = vec![("xmlns".to_owned(), self.model.xml_namespace.clone())];
        if let Some(object) = value.as_object() {
            all.extend(attributes(self.model, shape, object));
        }
        self.head();
        self.open_with(name, &all);
        self.members(shape, value);
        self.close(name);
    }

    fn open_with(&mut self, name: &str, attributes: &[(String, String)]) {
        self.out.push('<');
        self.out.push_str(name);
        for (key, value) in attributes {
            self.out.push(' ');
            self.out.push_str(key);
            self.out.push_str("=\"");
            self.out.push_str(&escape(value.as_str()));
            self.out.push('"');
        }
        self.out.push('>');
    }

    pub(crate) fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    pub(crate) fn leaf(&mut self, name: &str, text: &str) {
        self.open(name);
        self.text(text);
        self.close(name);
    }

    /// Writes escaped text. A carriage return must be escaped, or the client's parser reads a line feed.
    pub(crate) fn text(&mut self, text: &str) {
        let escaped = escape(text);
        if escaped.contains('\r') {
            self.out.push_str(&escaped.replace('\r', "&#xD;"));
        } else {
            self.out.push_str(&escaped);
        }
    }

    /// Writes those members of a structure that are in the body.
    pub(crate) fn members(&mut self, shape: ShapeId, value: &Value) {
        let model = self.model;
        for member in model.members(shape) {
            let inner = value.get(&member.name).filter(|v| !v.is_null());
            if let (Location::Body, false, Some(inner)) = (member.location, member.xml_attribute, inner) {
                self.member(member, member.wire_name(), inner);
            }
        }
    }

    pub(crate) fn member(&mut self, member: &Member, name: &str, value: &Value) {
        let model = self.model;
        let shape = model.shape(member.shape);
        match (&shape.kind, value) {
            (Kind::Structure(_), Value::Object(object)) => {
                let of_shape = model.shape(member.shape).structure().and_then(|s| s.xml_namespace.as_ref());
                let namespace = member.xml_namespace.as_ref().or(of_shape).map(|n| {
                    let key = n.prefix.as_ref().map_or_else(|| "xmlns".to_owned(), |p| format!("xmlns:{p}"));
                    (key, n.uri.clone())
                });
                let all: Vec<_> =
                    namespace.into_iter().chain(attributes(model, member.shape, object)).collect();
                self.open_with(name, &all);
                self.members(member.shape, value);
                self.close(name);
            }
            (Kind::List { item, flattened }, Value::Array(items)) => {
                // A flattened member has its own name; a list whose shape is flattened has its item's.
                let item_name = item.location_name().filter(|_| !member.flattened);
                self.list(item, (*flattened || member.flattened, item_name), name, items);
            }
            (Kind::Map { key, value: inner, flattened }, Value::Object(object)) => {
                self.map((key, inner), *flattened || member.flattened, name, object);
            }
            _ => {
                let text = scalar::to_text(shape, value, Location::Body);
                self.leaf(name, &text);
            }
        }
    }

    fn list(
        &mut self,
        item: &Member,
        (flattened, item_name): (bool, Option<&str>),
        name: &str,
        items: &[Value],
    ) {
        let item_name = item_name.unwrap_or(if flattened { name } else { "member" });
        if !flattened {
            self.open(name);
        }
        for inner in items {
            self.member(item, item_name, inner);
        }
        if !flattened {
            self.close(name);
        }
    }

    fn map(
        &mut self,
        (key, inner): (&Member, &Member),
        flattened: bool,
        name: &str,
        map: &Map<String, Value>,
    ) {
        let entry = if flattened { name } else { "entry" };
        if !flattened {
            self.open(name);
        }
        for (k, v) in map {
            self.open(entry);
            self.leaf(key.location_name().unwrap_or("key"), k);
            self.member(inner, inner.location_name().unwrap_or("value"), v);
            self.close(entry);
        }
        if !flattened {
            self.close(name);
        }
    }
}

/// The members that are attributes (`xsi:type` of an S3 grantee).
fn attributes(model: &ServiceModel, shape: ShapeId, object: &Map<String, Value>) -> Vec<(String, String)> {
    let members = model.members(shape).iter().filter(|m| m.xml_attribute);
    let there =
        members.filter_map(|m| Some((m.wire_name().to_owned(), object.get(&m.name)?.as_str()?.to_owned())));
    there.collect()
}

//! The query protocols: requests are forms with dotted keys (`Tags.member.1.Key`), answers are XML. EC2's dialect has lists
//! without `member`, capitalized members, and answers without a wrapper.

use crate::fault::Malformed;
use crate::scalar;
use crate::xml::Writer;
use escale_base::{AwsError, limits::request as limits};
use escale_model::{Kind, Member, Operation, ServiceModel, ShapeId};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Steps of a dotted key. RDS's and EC2's deepest have 12. Dropping a tree recurses, so its depth must be limited.
const MAX_DEPTH: usize = 48;

/// Keys that every query request has, or may have, besides the operation's own.
const COMMON: [&str; 2] = ["Action", "Version"];

#[derive(Default)]
struct Tree<'a> {
    value: Option<&'a str>,
    below: BTreeMap<&'a str, Tree<'a>>,
}

impl<'a> Tree<'a> {
    /// `left` is the number of steps that all further parameters together may have.
    fn put(&mut self, key: &'a str, value: &'a str, left: &mut usize) -> Result<(), Malformed> {
        let mut tree = self;
        for (depth, step) in key.split('.').enumerate() {
            if depth == MAX_DEPTH {
                return Err(Malformed::Body(format!("a parameter has more than {MAX_DEPTH} steps")));
            }
            *left = left.checked_sub(1).ok_or_else(|| {
                let most = limits::FORM_STEPS;
                Malformed::Body(format!("the names of the parameters have more than {most} steps in all"))
            })?;
            tree = tree.below.entry(step).or_default();
        }
        tree.value = Some(value);
        Ok(())
    }

    fn get(&self, step: &str) -> Option<&Tree<'a>> {
        self.below.get(step)
    }

    /// The steps that are numbers, in numeric order; the map has 10 before 2.
    fn numbered(&self) -> Vec<&Tree<'a>> {
        let numbers = self.below.iter().filter_map(|(step, tree)| Some((step.parse::<u64>().ok()?, tree)));
        let mut numbers: Vec<_> = numbers.collect();
        numbers.sort_by_key(|(n, _)| *n);
        numbers.into_iter().map(|(_, tree)| tree).collect()
    }
}

pub(super) fn decode(
    model: &ServiceModel,
    operation: &Operation,
    fields: &[(String, String)],
    ec2: bool,
) -> Result<Value, Malformed> {
    let mut tree = Tree::default();
    let mut left = limits::FORM_STEPS;
    for (key, value) in fields {
        if !COMMON.contains(&key.as_str()) && !key.starts_with("X-Amz-") {
            tree.put(key, value, &mut left)?;
        }
    }
    let Some(input) = operation.input else { return Ok(Value::Object(Map::new())) };
    if ec2 {
        // Only EC2 refuses unknown parameters; the other services ignore them.
        let known: Vec<String> = model.members(input).iter().map(ec2_name).collect();
        if let Some(unknown) = tree.below.keys().find(|step| !known.iter().any(|k| k == *step)) {
            return Err(Malformed::Unknown((*unknown).to_owned()));
        }
    }
    Reader { model, ec2 }.read(input, &tree)
}

struct Reader<'a> {
    model: &'a ServiceModel,
    ec2: bool,
}

impl Reader<'_> {
    fn read(&self, shape: ShapeId, tree: &Tree<'_>) -> Result<Value, Malformed> {
        let target = self.model.shape(shape);
        match &target.kind {
            Kind::Structure(structure) => {
                let mut found = Map::new();
                for member in &structure.members {
                    if let Some(below) = self.step(member, tree) {
                        let value = self.read(member.shape, below).map_err(|e| e.below(&member.name))?;
                        found.insert(member.name.clone(), value);
                    }
                }
                Ok(Value::Object(found))
            }
            Kind::List { item, flattened } => {
                let named = item.location_name().and_then(|n| tree.get(n)).or_else(|| tree.get("member"));
                let from = named.filter(|_| !self.ec2 && !flattened).unwrap_or(tree);
                let items = from.numbered().into_iter().map(|below| self.read(item.shape, below));
                items.collect::<Result<_, _>>().map(Value::Array)
            }
            Kind::Map { key, value, flattened } => {
                let from = tree.get("entry").filter(|_| !flattened).unwrap_or(tree);
                let mut found = Map::new();
                for entry in from.numbered() {
                    let k = entry.get(key.location_name().unwrap_or("key")).and_then(|k| k.value);
                    let k = k.ok_or_else(|| Malformed::value("", "an entry without a key", "Map"))?;
                    if let Some(v) = entry.get(value.location_name().unwrap_or("value")) {
                        found.insert(k.to_owned(), self.read(value.shape, v).map_err(|e| e.below(k))?);
                    }
                }
                Ok(Value::Object(found))
            }
            kind => {
                let text = tree.value.unwrap_or("");
                scalar::from_text(target, text).ok_or_else(|| Malformed::value("", text, kind.name()))
            }
        }
    }

    /// The subtree of a member. A flattened list has the name of its item.
    fn step<'t, 'v>(&self, member: &Member, tree: &'t Tree<'v>) -> Option<&'t Tree<'v>> {
        if self.ec2 {
            return tree.get(&ec2_name(member));
        }
        let item = match &self.model.shape(member.shape).kind {
            Kind::List { item, flattened: true } => item.location_name(),
            _ => None,
        };
        item.and_then(|name| tree.get(name)).or_else(|| tree.get(member.wire_name()))
    }
}

/// EC2's name of a member in a request: its query name, or its XML name with a capital.
fn ec2_name(member: &Member) -> String {
    member.query_name().map_or_else(|| capitalised(member.wire_name()), str::to_owned)
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

pub(super) fn encode(
    model: &ServiceModel,
    operation: &Operation,
    output: &Value,
    request_id: &str,
) -> String {
    let root = format!("{}Response", operation.name);
    let mut xml = Writer::new(model);
    xml.open_in(&root, &model.xml_namespace);
    if let Some(shape) = operation.output {
        let wrapper = operation.result_wrapper.as_deref();
        wrapper.inspect(|name| xml.open(name));
        xml.members(shape, output);
        wrapper.inspect(|name| xml.close(name));
    }
    xml.open("ResponseMetadata");
    xml.leaf("RequestId", request_id);
    xml.close("ResponseMetadata");
    xml.close(&root);
    xml.finish()
}

pub(super) fn encode_ec2(
    model: &ServiceModel,
    operation: &Operation,
    output: &Value,
    request_id: &str,
) -> String {
    let root = format!("{}Response", operation.name);
    let mut xml = Writer::new(model);
    xml.head();
    xml.open_in(&root, &model.xml_namespace);
    xml.leaf("requestId", request_id);
    match operation.output {
        Some(shape) => xml.members(shape, output),
        // EC2's answer for operations without output members.
        None => xml.leaf("return", "true"),
    }
    xml.close(&root);
    xml.finish()
}

pub(super) fn encode_error(model: &ServiceModel, code: &str, error: &AwsError, request_id: &str) -> String {
    let mut xml = Writer::new(model);
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

pub(super) fn encode_error_ec2(
    model: &ServiceModel,
    code: &str,
    error: &AwsError,
    request_id: &str,
) -> String {
    let mut xml = Writer::new(model);
    xml.head();
    xml.open("Response");
    xml.open("Errors");
    xml.open("Error");
    xml.leaf("Code", code);
    xml.leaf("Message", &error.message);
    xml.close("Error");
    xml.close("Errors");
    xml.leaf("RequestID", request_id);
    xml.close("Response");
    xml.finish()
}

pub(super) fn message(xml: &mut Writer<'_>, error: &AwsError) {
    if !error.message.is_empty() {
        xml.leaf("Message", &error.message);
    }
}

/// Members of the modelled error shape besides its message.
pub(super) fn extra_members(xml: &mut Writer<'_>, model: &ServiceModel, error: &AwsError) {
    let members = model.error(&error.code).and_then(|s| s.structure()).map_or(&[][..], |s| &s.members);
    for member in members {
        if let Some(value) = error.member(&member.name) {
            xml.member(member, member.wire_name(), value);
        }
    }
}

//! Converts a template's properties to the types of their schema.
//!
//! CloudFormation accepts `"true"` for `true`, `"80"` for `80` and `80` for `"80"`. Messages are those of its validator:
//! <https://github.com/aws-cloudformation/aws-cloudformation-resource-schema>. They never contain the value: it may be a secret.

use crate::{
    Schema,
    node::{Node, Pattern, Type},
};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, fmt};

/// One violation of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Names of properties, positions in lists.
    pub path: Vec<String>,
    /// The key below the path that the schema does not allow.
    pub member: Option<String>,
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("#")?;
        self.path.iter().try_for_each(|step| write!(f, "/{step}"))?;
        write!(f, ": {}", self.what)
    }
}

impl Schema {
    /// The properties in the types of the schema, or all their faults.
    ///
    /// `null` means a value that is not known yet, and is accepted: templates cannot write it.
    pub fn coerce(&self, properties: &Map<String, Value>) -> Result<Map<String, Value>, Vec<Fault>> {
        let (coerced, faults) = self.walk(properties);
        if faults.is_empty() { Ok(coerced) } else { Err(faults) }
    }

    /// The same for properties that were valid when a stack applied them. A value of another type, such as the hash of a
    /// `NoEcho` parameter that is a number, becomes `null`: it is not known.
    pub fn coerce_stored(&self, properties: &Map<String, Value>) -> Map<String, Value> {
        self.walk(properties).0
    }

    fn walk(&self, properties: &Map<String, Value>) -> (Map<String, Value>, Vec<Fault>) {
        let mut walk = Walk { schema: self, path: Vec::new(), faults: Vec::new() };
        let coerced = walk.object(&self.properties, &[], true, &self.required, properties);
        (coerced, walk.faults)
    }
}

struct Walk<'a> {
    schema: &'a Schema,
    path: Vec<String>,
    faults: Vec<Fault>,
}

impl<'a> Walk<'a> {
    fn fault(&mut self, what: impl Into<String>) {
        self.faults.push(Fault { path: self.path.clone(), member: None, what: what.into() });
    }

    fn below(&mut self, step: impl Into<String>, node: &'a Node, value: &Value) -> Value {
        self.path.push(step.into());
        let coerced = if value.is_null() { Value::Null } else { self.value(node, value) };
        self.path.pop();
        coerced
    }

    fn value(&mut self, node: &'a Node, value: &Value) -> Value {
        if self.is_read_only() {
            self.fault("is a read-only property: it cannot be set");
            return Value::Null;
        }
        if let Some(name) = &node.reference {
            // Every reference has a target: a test follows all of them.
            let target =
                name.strip_prefix("#/definitions/").and_then(|name| self.schema.definitions.get(name));
            return target.map_or(Value::Null, |target| self.value(target, value));
        }
        let Some(value) = as_one_of(&node.types.0, value) else {
            let expected = node.types.0.iter().map(|t| t.name()).collect::<Vec<_>>().join(" or ");
            self.fault(format!("expected type: {expected}, found: {}", name_of(value)));
            return Value::Null;
        };
        self.choices(node, &value);
        match value {
            Value::String(text) => {
                self.text(node, &text);
                Value::String(text)
            }
            Value::Number(number) => {
                self.number(node, number.as_f64().unwrap_or_default());
                Value::Number(number)
            }
            Value::Array(items) => self.list(node, &items),
            Value::Object(members) => {
                let closed = node.additional_properties == Some(false);
                let (own, patterns) = (&node.properties, &node.pattern_properties);
                Value::Object(self.object(own, patterns, closed, &node.required, &members))
            }
            other => other,
        }
    }

    fn object(
        &mut self,
        own: &'a BTreeMap<String, Node>,
        patterns: &'a [(Pattern, Node)],
        closed: bool,
        required: &[String],
        members: &Map<String, Value>,
    ) -> Map<String, Value> {
        for name in required.iter().filter(|name| !members.contains_key(*name)) {
            self.fault(format!("required key [{name}] not found"));
        }
        let mut coerced = Map::new();
        for (name, value) in members {
            let by_pattern =
                || patterns.iter().find(|(pattern, _)| pattern.matches(name)).map(|(_, node)| node);
            let value = match own.get(name).or_else(by_pattern) {
                Some(node) => self.below(name, node, value),
                None if closed => {
                    self.faults.push(Fault {
                        path: self.path.clone(),
                        member: Some(name.clone()),
                        what: format!("extraneous key [{name}] is not permitted"),
                    });
                    continue;
                }
                None => value.clone(),
            };
            coerced.insert(name.clone(), value);
        }
        coerced
    }

    fn list(&mut self, node: &'a Node, items: &[Value]) -> Value {
        if let Some(least) = node.min_items.filter(|least| items.len() < *least) {
            self.fault(format!("expected minimum item count: {least}, found: {}", items.len()));
        }
        if let Some(most) = node.max_items.filter(|most| items.len() > *most) {
            self.fault(format!("expected maximum item count: {most}, found: {}", items.len()));
        }
        let Some(item_node) = &node.items else { return items.to_vec().into() };
        items.iter().enumerate().map(|(i, item)| self.below(i.to_string(), item_node, item)).collect()
    }

    fn text(&mut self, node: &Node, text: &str) {
        // JSON Schema counts characters, not bytes.
        let length = text.chars().count();
        if let Some(least) = node.min_length.filter(|least| length < *least) {
            self.fault(format!("expected minLength: {least}, actual: {length}"));
        }
        if let Some(most) = node.max_length.filter(|most| length > *most) {
            self.fault(format!("expected maxLength: {most}, actual: {length}"));
        }
        if node.pattern.as_ref().is_some_and(|pattern| !pattern.matches(text)) {
            self.fault("failed validation constraint for keyword [pattern]");
        }
    }

    fn number(&mut self, node: &Node, number: f64) {
        if let Some(least) = node.minimum.filter(|least| number < *least) {
            self.fault(format!(
                "failed validation constraint for keyword [minimum]: {least} or more is valid"
            ));
        }
        if let Some(most) = node.maximum.filter(|most| number > *most) {
            self.fault(format!(
                "failed validation constraint for keyword [maximum]: {most} or less is valid"
            ));
        }
    }

    fn choices(&mut self, node: &Node, value: &Value) {
        let same = |choice: &Value| match (choice.as_str(), value.as_str()) {
            (Some(choice), Some(text)) => choice.eq_ignore_ascii_case(text),
            _ => choice == value,
        };
        let (exact, in_any_case) = (&node.choices, &node.choices_in_any_case);
        let is_exact = exact.is_empty() || exact.contains(value);
        if !is_exact || !(in_any_case.is_empty() || in_any_case.iter().any(same)) {
            let valid = exact.iter().chain(in_any_case).map(plain).collect::<Vec<_>>().join(", ");
            self.fault(format!("failed validation constraint for keyword [enum]: valid are [{valid}]"));
        }
        if let Some(constant) = node.constant.as_ref().filter(|constant| *constant != value) {
            self.fault(format!(
                "failed validation constraint for keyword [const]: valid is {}",
                plain(constant)
            ));
        }
    }

    fn is_read_only(&self) -> bool {
        let is_here = |path: &String| {
            let steps = path.strip_prefix("/properties/").unwrap_or(path).split('/');
            let fits = |(a, b): (&str, &String)| a == b || a == "*" && b.parse::<usize>().is_ok();
            steps.clone().count() == self.path.len() && steps.zip(&self.path).all(fits)
        };
        self.schema.read_only_properties.iter().any(is_here)
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The value in the first of the types that it can be converted to. A value that already has one of the types is unchanged.
fn as_one_of(types: &[Type], value: &Value) -> Option<Value> {
    if types.is_empty() || types.iter().any(|t| is(*t, value)) {
        return Some(value.clone());
    }
    types.iter().find_map(|t| converted(*t, value))
}

fn is(kind: Type, value: &Value) -> bool {
    match kind {
        Type::String => value.is_string(),
        Type::Integer => value.is_i64() || value.is_u64(),
        Type::Number => value.is_number(),
        Type::Boolean => value.is_boolean(),
        Type::Array => value.is_array(),
        Type::Object => value.is_object(),
    }
}

fn converted(kind: Type, value: &Value) -> Option<Value> {
    match (kind, value) {
        (Type::String, Value::Number(_) | Value::Bool(_)) => Some(value.to_string().into()),
        (Type::Integer, Value::Number(number)) => whole(number.as_f64()?),
        // As an integer first: a float loses digits beyond 2⁵³.
        (Type::Integer, Value::String(text)) => match text.trim().parse::<i64>() {
            Ok(number) => Some(number.into()),
            Err(_) => whole(text.trim().parse().ok()?),
        },
        (Type::Number, Value::String(text)) => match text.trim().parse::<i64>() {
            Ok(number) => Some(number.into()),
            Err(_) => serde_json::Number::from_f64(text.trim().parse().ok()?).map(Value::Number),
        },
        (Type::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("true") => Some(true.into()),
        (Type::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("false") => Some(false.into()),
        _ => None,
    }
}

/// `8000.0` is whole, `8000.5` is not. Beyond 2⁵³ a floating-point number is not exact.
fn whole(number: f64) -> Option<Value> {
    (number.fract() == 0.0 && number.abs() < 9e15).then(|| Value::from(number as i64))
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(_) => "Number",
        Value::String(_) => "String",
        Value::Array(_) => "JSONArray",
        Value::Object(_) => "JSONObject",
    }
}

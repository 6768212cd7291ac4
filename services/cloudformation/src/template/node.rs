//! A template's text as a tree with positions, from JSON or YAML. Short forms (`!Sub`) are already functions (`Fn::Sub`).

use super::error::{Position, TemplateError};
use serde_json::{Map, Value};

#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub at: Position,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    /// In the order of the text; keys are unique.
    Map(Vec<(Key, Node)>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    pub text: String,
    pub at: Position,
}

/// A scalar keeps its text: CloudFormation compares and joins numbers and booleans as they are written.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    pub text: String,
    /// Without quotation marks: may be a number, a boolean or null.
    pub plain: bool,
}

impl Scalar {
    /// Converts YAML 1.1's booleans and decimal numbers. Dates, octals and numbers with leading zeros (account ids) stay text.
    pub fn value(&self) -> Value {
        match (self.plain, self.text.as_str(), self.boolean()) {
            (false, text, _) => text.into(),
            (true, _, Some(truth)) => truth.into(),
            (true, "" | "~" | "null" | "Null" | "NULL", _) => Value::Null,
            (true, text, None) => number(text).unwrap_or_else(|| text.into()),
        }
    }

    /// The scalar as a string. A boolean is `true` or `false`, however YAML spells it: `Default: True` and `Default: yes`
    /// are the string `true`. A number keeps its digits as written.
    pub fn string(&self) -> &str {
        match self.boolean() {
            Some(true) => "true",
            Some(false) => "false",
            None => &self.text,
        }
    }

    /// Source: <https://yaml.org/type/bool.html>, without `y` and `n`, which CloudFormation keeps as text.
    fn boolean(&self) -> Option<bool> {
        match self.text.as_str() {
            _ if !self.plain => None,
            "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
            "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
            _ => None,
        }
    }
}

fn number(text: &str) -> Option<Value> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    if leading_zero || !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if let Ok(number) = text.parse::<i64>() {
        return Some(number.into());
    }
    // Larger integers stay text: a float would change their digits.
    let float = digits.contains(['.', 'e', 'E']).then(|| text.parse::<f64>().ok()).flatten()?;
    serde_json::Number::from_f64(float).map(Value::Number)
}

impl Node {
    pub fn map(&self) -> Option<&[(Key, Node)]> {
        if let Kind::Map(entries) = &self.kind { Some(entries) } else { None }
    }

    pub fn list(&self) -> Option<&[Node]> {
        if let Kind::List(items) = &self.kind { Some(items) } else { None }
    }

    /// A scalar as it is written, for names, which are compared with keys.
    pub fn text(&self) -> Option<&str> {
        if let Kind::Scalar(scalar) = &self.kind { Some(&scalar.text) } else { None }
    }

    /// A scalar of any type as a string: CloudFormation accepts numbers and booleans where it needs strings.
    pub fn string(&self) -> Option<&str> {
        if let Kind::Scalar(scalar) = &self.kind { Some(scalar.string()) } else { None }
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        self.map()?.iter().find(|(k, _)| k.text == key).map(|(_, node)| node)
    }

    /// The node as plain data, with functions in their long form.
    pub fn value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(scalar) => scalar.value(),
            Kind::List(items) => items.iter().map(Node::value).collect(),
            Kind::Map(entries) => {
                Value::Object(entries.iter().map(|(k, n)| (k.text.clone(), n.value())).collect::<Map<_, _>>())
            }
        }
    }

    /// Refuses null, which AWS allows nowhere in a template.
    pub(crate) fn refuse_null(&self, path: &str) -> Result<(), TemplateError> {
        match &self.kind {
            Kind::Scalar(scalar) if scalar.plain && scalar.value().is_null() => {
                let path = if path.is_empty() { "/" } else { path };
                Err(TemplateError::format(format!("[{path}] 'null' values are not allowed in templates"))
                    .at(self.at))
            }
            Kind::Scalar(_) => Ok(()),
            Kind::List(items) => {
                items.iter().enumerate().try_for_each(|(i, item)| item.refuse_null(&format!("{path}/{i}")))
            }
            Kind::Map(entries) => {
                entries.iter().try_for_each(|(k, n)| n.refuse_null(&format!("{path}/{}", k.text)))
            }
        }
    }
}

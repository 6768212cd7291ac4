//! A text of names and values as a tree whose nodes know their places, so that every later error can point at its line. A reader of YAML
//! makes it here; CloudFormation's reader of JSON makes the same tree.
//!
//! Scalars keep their text: what a word means (`yes`, `007`) is decided by the reader of the tree. Keys are unique in the tree. Aliases and merges are
//! refused, because they hide from a reader what a text says, and can multiply its size. Start at [`yaml()`].

mod scalar;
mod yaml;

pub use scalar::Scalar;
pub use yaml::{Fault, Options, Problem, yaml};

use serde_json::{Map, Value};
use std::fmt;

/// A place in a text: what an error points at. Line and column count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    pub line: usize,
    pub column: usize,
    /// In characters, for underlining.
    pub length: usize,
}

impl Place {
    pub fn at(line: usize, column: usize) -> Place {
        Place { line, column, length: 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub place: Place,
    pub kind: Kind,
    /// YAML's tag: `("!", "Sub")`.
    pub tag: Option<(String, String)>,
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
    pub place: Place,
}

impl Node {
    pub fn new(place: Place, kind: Kind) -> Node {
        Node { place, kind, tag: None }
    }

    /// The entries of a map; none of anything else.
    pub fn entries(&self) -> &[(Key, Node)] {
        self.map().unwrap_or_default()
    }

    /// Whether it is null by YAML's core schema.
    pub fn is_null(&self) -> bool {
        self.scalar().is_some_and(|scalar| scalar.core_value().is_null())
    }

    /// The kind of node, for messages.
    pub fn noun(&self) -> &'static str {
        match &self.kind {
            _ if self.is_null() => "nothing",
            Kind::Scalar(_) => "a single value",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    pub fn map(&self) -> Option<&[(Key, Node)]> {
        if let Kind::Map(entries) = &self.kind { Some(entries) } else { None }
    }

    pub fn list(&self) -> Option<&[Node]> {
        if let Kind::List(items) = &self.kind { Some(items) } else { None }
    }

    pub fn scalar(&self) -> Option<&Scalar> {
        if let Kind::Scalar(scalar) = &self.kind { Some(scalar) } else { None }
    }

    /// A scalar as it is written, for names, which are compared with keys.
    pub fn text(&self) -> Option<&str> {
        self.scalar().map(|scalar| scalar.text.as_str())
    }

    /// A scalar of any type as a string: see [`Scalar::string`].
    pub fn string(&self) -> Option<&str> {
        self.scalar().map(Scalar::string)
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        self.map()?.iter().find(|(k, _)| k.text == key).map(|(_, node)| node)
    }

    /// The node as plain data, by YAML 1.1 as CloudFormation reads it.
    pub fn value(&self) -> Value {
        self.data(&Scalar::value)
    }

    /// The node as plain data, by YAML's core schema.
    pub fn core_value(&self) -> Value {
        self.data(&Scalar::core_value)
    }

    fn data(&self, scalar_value: &dyn Fn(&Scalar) -> Value) -> Value {
        match &self.kind {
            Kind::Scalar(scalar) => scalar_value(scalar),
            Kind::List(items) => items.iter().map(|item| item.data(scalar_value)).collect(),
            Kind::Map(entries) => {
                let entries = entries.iter().map(|(k, n)| (k.text.clone(), n.data(scalar_value)));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }
}

//! The constraints of one value.

use fancy_regex::Regex;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::{collections::BTreeMap, sync::OnceLock};

/// A property, the items of a list, or a definition: the keywords of JSON Schema that the trimmed files have.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Node {
    /// `#/definitions/Tag`: the definition has all constraints, and this node no others.
    #[serde(rename = "$ref")]
    pub(crate) reference: Option<String>,
    /// The allowed types; empty if the schema names none.
    #[serde(rename = "type")]
    pub(crate) types: Types,
    #[serde(rename = "enum")]
    pub(crate) choices: Vec<Value>,
    #[serde(rename = "enumCaseInsensitive")]
    pub(crate) choices_in_any_case: Vec<Value>,
    #[serde(rename = "const")]
    pub(crate) constant: Option<Value>,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) min_length: Option<usize>,
    pub(crate) max_length: Option<usize>,
    pub(crate) minimum: Option<f64>,
    pub(crate) maximum: Option<f64>,
    pub(crate) min_items: Option<usize>,
    pub(crate) max_items: Option<usize>,
    pub(crate) items: Option<Box<Node>>,
    pub(crate) properties: BTreeMap<String, Node>,
    #[serde(deserialize_with = "by_pattern")]
    pub(crate) pattern_properties: Vec<(Pattern, Node)>,
    pub(crate) required: Vec<String>,
    pub(crate) additional_properties: Option<bool>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Type {
    String,
    Integer,
    Number,
    Boolean,
    Array,
    Object,
}

impl Type {
    /// The name in AWS's messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Type::String => "String",
            Type::Integer | Type::Number => "Number",
            Type::Boolean => "Boolean",
            Type::Array => "JSONArray",
            Type::Object => "JSONObject",
        }
    }
}

/// JSON Schema writes one type as a word, several as a list.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "OneOrMany")]
pub(crate) struct Types(pub(crate) Vec<Type>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(Type),
    Many(Vec<Type>),
}

impl From<OneOrMany> for Types {
    fn from(types: OneOrMany) -> Types {
        match types {
            OneOrMany::One(one) => Types(vec![one]),
            OneOrMany::Many(many) => Types(many),
        }
    }
}

/// A regular expression that matches anywhere in a text; compiled at its first use.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub(crate) struct Pattern {
    text: String,
    compiled: OnceLock<Regex>,
}

impl From<String> for Pattern {
    fn from(text: String) -> Pattern {
        Pattern { text, compiled: OnceLock::new() }
    }
}

impl Pattern {
    pub(crate) fn compile(&self) -> Result<Regex, String> {
        Regex::new(&in_rusts_dialect(&self.text)).map_err(|error| format!("{}: {error}", self.text))
    }

    /// A text on which matching takes too long does not match.
    pub(crate) fn matches(&self, text: &str) -> bool {
        // The schemas are part of the program, and a test compiles every pattern.
        let compiled = self.compiled.get_or_init(|| self.compile().unwrap_or_else(|error| panic!("{error}")));
        compiled.is_match(text).unwrap_or(false)
    }
}

fn by_pattern<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(Pattern, Node)>, D::Error> {
    let nodes = BTreeMap::<String, Node>::deserialize(deserializer)?;
    Ok(nodes.into_iter().map(|(pattern, node)| (pattern.into(), node)).collect())
}

/// Converts from Java's or ECMAScript's dialect to Rust's: inside a class, `[` is a literal there and opens another class
/// here; `\p{Print}` is the printable part of ASCII.
fn in_rusts_dialect(pattern: &str) -> String {
    let pattern = pattern.replace(r"\p{Print}", r"[\x20-\x7E]");
    let (mut out, mut in_class, mut escaped) = (String::with_capacity(pattern.len()), false, false);
    for c in pattern.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' if in_class => out.push('\\'),
            '[' => in_class = true,
            ']' => in_class = false,
            _ => {}
        }
        out.push(c);
    }
    out
}

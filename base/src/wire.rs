//! The representation of a Rust value between the wire layer and an operation.
//!
//! The wire layer decodes every protocol into one [`Value`] tree whose keys are the model's member names;
//! blobs are base64 text, timestamps are seconds. `#[derive(Wire)]` reads a struct from that tree and
//! writes it back: `vpc_id` is the member `VpcId`, or `vpcId` under `#[wire(camelCase)]`; another
//! spelling is given explicitly, `#[wire("DBName")]`.

use std::collections::BTreeMap;

pub use escale_derive::Wire;
pub use serde_json::{Map, Value};

/// A member that a struct reads or writes; checked against the model at start-up.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: &'static str,
    /// Whether any members are allowed below: maps and untyped values.
    pub open: bool,
    /// The words of an enumeration; `None` for every other value. Those of the items for a list.
    pub choices: Option<&'static [&'static str]>,
    /// The members below it, empty for scalars. A function, because shapes can be recursive.
    pub below: fn() -> &'static [Field],
}

/// A value that can be read from and written to the wire's tree.
pub trait Wire: Sized {
    fn read(value: &Value) -> Result<Self, ReadError>;
    fn write(&self) -> Value;

    /// The members of a struct; those of the item for a list; empty for a scalar or an untyped value.
    const FIELDS: &'static [Field] = &[];

    /// Whether any members are allowed below: an untyped value that its consumer checks.
    const OPEN: bool = false;

    /// The words that are read and written, where the type is an enumeration made by [`choice!`](crate::choice!).
    const CHOICES: Option<&'static [&'static str]> = None;

    /// The value of an absent member; `None` makes the member required.
    fn absent() -> Option<Self> {
        None
    }

    /// Whether a member with this value is left out when written.
    fn is_absent(&self) -> bool {
        false
    }
}

/// The value does not have the form of the type; names the path from the root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{what}", if path.is_empty() { String::new() } else { format!("{path}: ") })]
pub struct ReadError {
    pub path: String,
    pub what: String,
}

impl ReadError {
    pub fn new(what: impl Into<String>) -> ReadError {
        ReadError { path: String::new(), what: what.into() }
    }

    pub fn kind(expected: &str, found: &Value) -> ReadError {
        let kind = match found {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "a list",
            Value::Object(_) => "a structure",
        };
        ReadError::new(format!("expected {expected}, found {kind}"))
    }

    pub fn below(mut self, step: &str) -> ReadError {
        self.path = match (self.path.is_empty(), self.path.starts_with('[')) {
            (true, _) => step.to_owned(),
            (_, true) => format!("{step}{}", self.path),
            _ => format!("{step}.{}", self.path),
        };
        self
    }
}

/// Reads the member `name` of a structure; the derive calls it for each field.
pub fn member<T: Wire>(object: &Map<String, Value>, name: &str) -> Result<T, ReadError> {
    match object.get(name) {
        None | Some(Value::Null) => T::absent().ok_or_else(|| ReadError::new("is required").below(name)),
        Some(value) => T::read(value).map_err(|e| e.below(name)),
    }
}

/// Writes a member; the derive calls it for each field.
pub fn put<T: Wire>(object: &mut Map<String, Value>, name: &str, value: &T) {
    if !value.is_absent() {
        object.insert(name.to_owned(), value.write());
    }
}

/// The structure that a derive reads from.
pub fn structure(value: &Value) -> Result<&Map<String, Value>, ReadError> {
    value.as_object().ok_or_else(|| ReadError::kind("a structure", value))
}

impl Wire for String {
    fn read(value: &Value) -> Result<String, ReadError> {
        value.as_str().map(str::to_owned).ok_or_else(|| ReadError::kind("a string", value))
    }
    fn write(&self) -> Value {
        self.clone().into()
    }
}

/// A constant of the program: it can only be written.
impl Wire for &'static str {
    fn read(_: &Value) -> Result<&'static str, ReadError> {
        Err(ReadError::new("is a constant of an answer and cannot be read"))
    }
    fn write(&self) -> Value {
        (*self).into()
    }
}

impl Wire for bool {
    fn read(value: &Value) -> Result<bool, ReadError> {
        value.as_bool().ok_or_else(|| ReadError::kind("a boolean", value))
    }
    fn write(&self) -> Value {
        (*self).into()
    }
}

macro_rules! integers {
    ($($t:ty),*) => { $(
        impl Wire for $t {
            fn read(value: &Value) -> Result<$t, ReadError> {
                let n = value.as_i64().or_else(|| value.as_f64().filter(|f| f.fract() == 0.0).map(|f| f as i64));
                n.and_then(|n| <$t>::try_from(n).ok()).ok_or_else(|| match value {
                    Value::Number(n) => ReadError::new(format!("{n} is out of range")),
                    other => ReadError::kind("an integer", other),
                })
            }
            fn write(&self) -> Value {
                (*self).into()
            }
        }
    )* };
}
integers!(i32, i64, u16, u32, u64, usize);

impl Wire for f64 {
    fn read(value: &Value) -> Result<f64, ReadError> {
        value.as_f64().ok_or_else(|| ReadError::kind("a number", value))
    }
    fn write(&self) -> Value {
        (*self).into()
    }
}

/// An address, in its dotted form.
impl Wire for std::net::Ipv4Addr {
    fn read(value: &Value) -> Result<Self, ReadError> {
        let text = String::read(value)?;
        text.parse().map_err(|_| ReadError::new(format!("'{text}' is not an IPv4 address")))
    }
    fn write(&self) -> Value {
        self.to_string().into()
    }
}

/// An untyped value, such as a policy document; its consumer checks the form.
impl Wire for Value {
    const OPEN: bool = true;
    fn read(value: &Value) -> Result<Value, ReadError> {
        Ok(value.clone())
    }
    fn write(&self) -> Value {
        self.clone()
    }
}

impl<T: Wire> Wire for Option<T> {
    const FIELDS: &'static [Field] = T::FIELDS;
    const OPEN: bool = T::OPEN;
    const CHOICES: Option<&'static [&'static str]> = T::CHOICES;
    fn read(value: &Value) -> Result<Option<T>, ReadError> {
        T::read(value).map(Some)
    }
    fn write(&self) -> Value {
        self.as_ref().map_or(Value::Null, Wire::write)
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

/// An absent list reads as empty; an empty list is written, since AWS answers `[]`.
impl<T: Wire> Wire for Vec<T> {
    const FIELDS: &'static [Field] = T::FIELDS;
    const OPEN: bool = T::OPEN;
    const CHOICES: Option<&'static [&'static str]> = T::CHOICES;
    fn read(value: &Value) -> Result<Vec<T>, ReadError> {
        let items = value.as_array().ok_or_else(|| ReadError::kind("a list", value))?;
        let read = |(i, item)| T::read(item).map_err(|e| e.below(&format!("[{i}]")));
        items.iter().enumerate().map(read).collect()
    }
    fn write(&self) -> Value {
        self.iter().map(Wire::write).collect()
    }
    fn absent() -> Option<Self> {
        Some(Vec::new())
    }
}

impl<T: Wire> Wire for BTreeMap<String, T> {
    /// The keys are data, not members.
    const OPEN: bool = true;
    fn read(value: &Value) -> Result<BTreeMap<String, T>, ReadError> {
        let read =
            |(k, v): (&String, &Value)| Ok((k.clone(), T::read(v).map_err(|e: ReadError| e.below(k))?));
        structure(value)?.iter().map(read).collect()
    }
    fn write(&self) -> Value {
        Value::Object(self.iter().map(|(k, v)| (k.clone(), v.write())).collect())
    }
    fn absent() -> Option<Self> {
        Some(BTreeMap::new())
    }
}

impl<T: Wire> Wire for Box<T> {
    const FIELDS: &'static [Field] = T::FIELDS;
    const OPEN: bool = T::OPEN;
    const CHOICES: Option<&'static [&'static str]> = T::CHOICES;
    fn read(value: &Value) -> Result<Box<T>, ReadError> {
        T::read(value).map(Box::new)
    }
    fn write(&self) -> Value {
        (**self).write()
    }
}

/// No members: the input of `ListBuckets`, the output of many deletes.
impl Wire for () {
    fn read(_: &Value) -> Result<(), ReadError> {
        Ok(())
    }
    fn write(&self) -> Value {
        Value::Object(Map::new())
    }
}

/// Members of `value` that the type does not read, as paths (`TagSpecification[0].Foo`). Nothing may be accepted and ignored.
pub fn unread<T: Wire>(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if !T::OPEN {
        walk(value, T::FIELDS, "", &mut found);
    }
    found
}

fn walk(value: &Value, fields: &'static [Field], path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, inner) in object {
                let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match fields.iter().find(|f| f.name == name) {
                    None if inner.is_null() => {}
                    None => found.push(at),
                    Some(field) if field.open => {}
                    Some(field) => walk(inner, (field.below)(), &at, found),
                }
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                walk(item, fields, &format!("{path}[{i}]"), found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, PartialEq, Wire)]
    #[wire(crate = "crate")]
    struct Launch {
        image_id: String,
        max_count: Option<i32>,
        #[wire("EBSOptimized")]
        ebs: bool,
        tags: Vec<crate::Tag>,
        labels: BTreeMap<String, String>,
    }

    #[test]
    fn reads_and_writes() {
        let tree = json!({"ImageId": "ami-1", "EBSOptimized": true, "Tags": [{"Key": "a", "Value": "b"}], "Labels": {"x": "y"}});
        let launch = Launch::read(&tree).unwrap();
        assert_eq!(launch.max_count, None);
        assert_eq!(launch.write(), tree);
    }

    #[test]
    fn error_names_the_path() {
        let bad = json!({"ImageId": "ami-1", "EBSOptimized": true, "Tags": [{"Key": "a"}]});
        assert_eq!(Launch::read(&bad).unwrap_err().to_string(), "Tags[0].Value: is required");
        let bad = json!({"ImageId": 3, "EBSOptimized": true});
        assert_eq!(Launch::read(&bad).unwrap_err().to_string(), "ImageId: expected a string, found a number");
    }

    #[test]
    fn finds_members_that_are_not_read() {
        let tree = json!({"ImageId": "a", "EBSOptimized": true, "Nope": 1, "Tags": [{"Key": "a", "Value": "b", "Odd": 1}], "Labels": {"any": "x"}});
        assert_eq!(unread::<Launch>(&tree), ["Nope", "Tags[0].Odd"]);
    }

    #[derive(Wire)]
    #[wire(camelCase, crate = "crate")]
    struct Task {
        task_arn: String,
    }

    #[test]
    fn camel_case() {
        assert_eq!(Task { task_arn: "x".into() }.write(), json!({"taskArn": "x"}));
    }
}

//! A test of the `update` and `read` of a CloudFormation type, driven by a table of properties.

use crate::{Harness, Resource, resource::coerced};
use escale_base::wire::{Map, Value};
use escale_schema::Mutability;

/// A type with two values of each property that an update can change.
pub struct PropertyTable {
    pub type_name: &'static str,
    /// Creates a new cloud, and the properties that the type's resources have in every row.
    pub setup: fn() -> (Harness, Value),
    /// A property and two of its values. `null` is a template without the property.
    pub rows: Vec<(&'static str, Value, Value)>,
    /// Updatable properties without a row, and properties that `read` does not return as the template has them, each with the
    /// reason.
    pub exempt: &'static [(&'static str, &'static str)],
    /// Write-only properties, which `read` leaves out.
    pub hidden: fn(&Harness, &Resource) -> Value,
}

impl PropertyTable {
    pub fn new(type_name: &'static str, setup: fn() -> (Harness, Value)) -> PropertyTable {
        PropertyTable {
            type_name,
            setup,
            rows: Vec::new(),
            exempt: &[],
            hidden: |_, _| Value::Object(Map::new()),
        }
    }

    pub fn row(mut self, property: &'static str, one: Value, other: Value) -> PropertyTable {
        self.rows.push((property, one, other));
        self
    }

    pub fn exempt(mut self, properties: &'static [(&'static str, &'static str)]) -> PropertyTable {
        self.exempt = properties;
        self
    }

    pub fn hidden(mut self, hidden: fn(&Harness, &Resource) -> Value) -> PropertyTable {
        self.hidden = hidden;
        self
    }

    /// Panics unless every updatable property is in the table, and each row's update, its repetition and its reversal have
    /// their effect.
    pub fn check(&self) {
        self.covers_all_properties();
        for (property, one, other) in &self.rows {
            self.check_row(property, one, other);
        }
    }

    fn covers_all_properties(&self) {
        let (harness, _) = (self.setup)();
        let kind = harness.cloud.resource_type(self.type_name).expect("the type exists");
        let schema = escale_schema::schema(self.type_name).expect("the type has a schema");
        let updatable = |name: &&&str| schema.mutability(name) != Mutability::CreateOnly;
        for name in kind.properties.iter().filter(updatable) {
            let known = self.rows.iter().any(|(property, ..)| property == name)
                || self.exempt.iter().any(|(property, _)| property == name);
            assert!(known, "{}: the table has no {name}", self.type_name);
        }
    }

    fn check_row(&self, property: &str, one: &Value, other: &Value) {
        let (harness, base) = (self.setup)();
        let at = format!("{}.{property}", self.type_name);
        let with = |value: &Value| with(&base, property, value);
        let created = harness.create_resource(self.type_name, with(one));
        let mut resource = created.unwrap_or_else(|error| panic!("{at}: create: {error}"));
        let first = self.read(&harness, &resource);
        self.shows_base(&first, &base, property);
        shows(&at, &first, property, one, other);
        // The second update is what a rollback does after an update that was interrupted.
        for _ in 0..2 {
            resource.properties = coerced(self.type_name, with(one));
            let updated = harness.update_resource(&mut resource, with(other));
            updated.unwrap_or_else(|error| panic!("{at}: update to {other}: {error}"));
            shows(&at, &self.read(&harness, &resource), property, other, one);
        }
        let updated = harness.update_resource(&mut resource, with(one));
        updated.unwrap_or_else(|error| panic!("{at}: update back to {one}: {error}"));
        let last = self.read(&harness, &resource);
        let same = includes(&last, &first) && includes(&first, &last);
        assert!(same, "{at}: an update and its reversal change {first} into {last}");
    }

    fn shows_base(&self, seen: &Value, base: &Value, but: &str) {
        let exempt = |name: &str| name == but || self.exempt.iter().any(|(property, _)| *property == name);
        let base = base.as_object().expect("properties are an object");
        for (name, wanted) in base.iter().filter(|(name, _)| !exempt(name)) {
            let found = includes(seen.get(name).unwrap_or(&Value::Null), wanted);
            assert!(found, "{}: {name} is not {wanted} in {seen}", self.type_name);
        }
    }

    fn read(&self, harness: &Harness, resource: &Resource) -> Value {
        let mut seen = harness.read_resource(resource);
        assert!(seen.is_object(), "{}: read finds no resource", self.type_name);
        let hidden = (self.hidden)(harness, resource);
        if let (Value::Object(all), Value::Object(more)) = (&mut seen, hidden) {
            all.extend(more);
        }
        seen
    }
}

/// `null` for `wanted` must show any other value than the one that the property had before.
fn shows(at: &str, seen: &Value, property: &str, wanted: &Value, before: &Value) {
    let seen = seen.get(property).unwrap_or(&Value::Null);
    if wanted.is_null() {
        assert!(!includes(seen, before), "{at}: without the property it still is {seen}");
    } else {
        assert!(includes(seen, wanted), "{at}: it is {seen} instead of {wanted}");
    }
}

/// Whether `seen` has everything that `wanted` has. The order of lists does not matter.
pub(crate) fn includes(seen: &Value, wanted: &Value) -> bool {
    match (seen, wanted) {
        (Value::Object(seen), Value::Object(wanted)) => {
            wanted.iter().all(|(name, value)| includes(seen.get(name).unwrap_or(&Value::Null), value))
        }
        (Value::Array(seen), Value::Array(wanted)) => {
            seen.len() == wanted.len() && wanted.iter().all(|w| seen.iter().any(|s| includes(s, w)))
        }
        (Value::Number(seen), Value::Number(wanted)) => seen.as_f64() == wanted.as_f64(),
        _ => seen == wanted,
    }
}

fn with(base: &Value, property: &str, value: &Value) -> Value {
    let mut properties = base.as_object().cloned().unwrap_or_default();
    match value {
        Value::Null => properties.remove(property),
        value => properties.insert(property.to_owned(), value.clone()),
    };
    Value::Object(properties)
}

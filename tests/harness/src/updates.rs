//! Checks that a CloudFormation type changes every property that its schema does not mark as create-only.

use crate::{Harness, Resource};
use escale_base::wire::{Map, Value};
use escale_schema::{Mutability, Schema};

/// A property, two values of it, and the effect of removing it from the template.
pub type Case<'a> = (&'a str, Value, Value, Removal);

#[derive(Clone, Copy, PartialEq)]
pub enum Removal {
    /// The resource is then as one that was created without the property.
    Default,
    /// The resource keeps the last value.
    Keeps,
    /// The property is required, by the schema or by the service.
    Refused,
}

impl Harness {
    /// For each case: creates a resource with one value, changes it to the other and back, and removes the property; then adds it
    /// to a resource without it. `base` has the other properties. `untested` are properties that have tests of their own.
    pub fn check_updates(&self, type_name: &str, base: Value, cases: &[Case<'_>], untested: &[&str]) {
        let kind = self.cloud.resource_type(type_name).unwrap_or_else(|| panic!("no type {type_name}"));
        let schema = schema(type_name);
        for property in kind.properties {
            let is_covered = schema.mutability(property) == Mutability::CreateOnly
                || cases.iter().any(|(name, ..)| name == property)
                || untested.contains(property);
            assert!(is_covered, "{type_name}: no case changes {property}");
        }
        for (property, first, second, removal) in cases {
            self.check_case(type_name, &base, property, [first, second], *removal);
        }
    }

    fn check_case(
        &self,
        type_name: &str,
        base: &Value,
        property: &str,
        values: [&Value; 2],
        removal: Removal,
    ) {
        let with = |value: Option<&Value>| {
            let mut properties = base.clone();
            let map = properties.as_object_mut().expect("the base is an object");
            match value {
                Some(value) => map.insert(property.to_owned(), value.clone()),
                None => map.remove(property),
            };
            properties
        };
        let create = |value| {
            let created = self.create_resource(type_name, with(value));
            created.unwrap_or_else(|error| panic!("{type_name} with {property} {value:?}: {error}"))
        };
        let change = |resource: &mut Resource, value| {
            let changed = self.update_resource(resource, with(value));
            changed.unwrap_or_else(|error| panic!("{type_name}, {property} to {value:?}: {error}"));
        };
        let check = |resource: &Resource, value: &Value| {
            let read = self.read_resource(resource);
            assert!(
                covers(&read[property], value),
                "{type_name}, {property}: {} is not {value}",
                read[property]
            );
        };
        let mut changed = create(Some(values[0]));
        check(&changed, values[0]);
        for value in [values[1], values[0], values[1]] {
            change(&mut changed, Some(value));
            check(&changed, value);
        }
        if removal == Removal::Refused {
            let coerced = schema(type_name).coerce(with(None).as_object().expect("properties are an object"));
            let refused = coerced.is_err() || self.update_resource(&mut changed, with(None)).is_err();
            assert!(refused, "{type_name}: {property} is required");
            return;
        }
        if removal == Removal::Keeps {
            change(&mut changed, None);
            return check(&changed, values[1]);
        }
        let mut without = create(None);
        let default = self.read_resource(&without)[property].clone();
        change(&mut changed, None);
        check(&changed, &default);
        change(&mut without, Some(values[0]));
        check(&without, values[0]);
    }
}

fn schema(type_name: &str) -> &'static Schema {
    escale_schema::schema(type_name).unwrap_or_else(|| panic!("no schema of {type_name}"))
}

/// Whether a value that was read has everything that a template sets. The order of scalars in a list does not count.
fn covers(read: &Value, set: &Value) -> bool {
    match (read, set) {
        (Value::Object(read), Value::Object(set)) => covers_all(read, set),
        (Value::Array(read), Value::Array(set)) => {
            let has = |item: &Value| read.iter().any(|read| covers(read, item));
            read.len() == set.len() && set.iter().all(has)
        }
        (read, set) => read == set,
    }
}

fn covers_all(read: &Map<String, Value>, set: &Map<String, Value>) -> bool {
    set.iter().all(|(name, value)| read.get(name).is_some_and(|read| covers(read, value)))
}

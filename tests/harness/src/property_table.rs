//! A test of the `update` and `read` of a CloudFormation type, driven by a table of properties.

use crate::{Harness, Resource, resource::coerced};
use escale_base::wire::{Map, Value};
use escale_schema::Mutability;
use escale_service::{PropertyChange, Readiness};

/// A type with two values of each property that an update can change.
pub struct PropertyTable<'a> {
    type_name: &'a str,
    place: Place<'a>,
    rows: Vec<Row<'a>>,
    /// Changes of [`Place::Shared`]'s properties, each of one or several that change together.
    changes: Vec<Value>,
    exempt: Vec<&'a str>,
    write_only: &'a [&'a str],
    hidden: fn(&Harness, &Resource) -> Value,
}

/// Where the resources are created, with the properties that they have in every row.
enum Place<'a> {
    /// In a new cloud for each row.
    New(fn() -> (Harness, Value)),
    Shared(&'a Harness, Value),
}

struct Row<'a> {
    property: &'a str,
    one: Value,
    other: Value,
    removal: Option<Removal>,
}

/// The effect of removing a property from the template.
#[derive(Clone, Copy, PartialEq)]
pub enum Removal {
    /// The resource is then as one that was created without the property.
    Default,
    /// The resource keeps the last value.
    Keeps,
    /// The property is required, by the schema or by the service.
    Refused,
}

impl<'a> PropertyTable<'a> {
    /// A table whose rows have a new cloud each.
    pub fn new(type_name: &'a str, setup: fn() -> (Harness, Value)) -> PropertyTable<'a> {
        PropertyTable::at(type_name, Place::New(setup))
    }

    /// A table whose rows share a cloud. The type must generate the names of its resources, if it has more than one row.
    pub fn on(type_name: &'a str, harness: &'a Harness, base: Value) -> PropertyTable<'a> {
        PropertyTable::at(type_name, Place::Shared(harness, base))
    }

    fn at(type_name: &'a str, place: Place<'a>) -> PropertyTable<'a> {
        PropertyTable {
            type_name,
            place,
            rows: Vec::new(),
            changes: Vec::new(),
            exempt: Vec::new(),
            write_only: &[],
            hidden: |_, _| Value::Object(Map::new()),
        }
    }

    /// A property and two of its values. `null` is a template without the property.
    pub fn row(mut self, property: &'a str, one: Value, other: Value) -> PropertyTable<'a> {
        self.rows.push(Row { property, one, other, removal: None });
        self
    }

    /// Rows that also remove the property.
    pub fn rows(
        mut self,
        rows: impl IntoIterator<Item = (&'a str, Value, Value, Removal)>,
    ) -> PropertyTable<'a> {
        let rows = rows.into_iter();
        self.rows.extend(rows.map(|(property, one, other, removal)| Row {
            property,
            one,
            other,
            removal: Some(removal),
        }));
        self
    }

    /// Objects of properties that change together, with their new values. One resource of a shared cloud gets them one after the
    /// other, and at last all single ones at once.
    pub fn changes(mut self, changes: Vec<Value>) -> PropertyTable<'a> {
        self.changes = changes;
        self
    }

    /// Updatable properties without a row, and properties that `read` does not return as the template has them, each with the
    /// reason.
    pub fn exempt(mut self, properties: &[(&'a str, &str)]) -> PropertyTable<'a> {
        self.exempt.extend(properties.iter().map(|(property, _)| property));
        self
    }

    /// Updatable properties that have tests of their own.
    pub fn untested(mut self, properties: &[&'a str]) -> PropertyTable<'a> {
        self.exempt.extend(properties);
        self
    }

    /// Properties that no operation returns.
    pub fn write_only(mut self, properties: &'a [&'a str]) -> PropertyTable<'a> {
        self.write_only = properties;
        self
    }

    /// Write-only properties that the test can read in another way.
    pub fn hidden(mut self, hidden: fn(&Harness, &Resource) -> Value) -> PropertyTable<'a> {
        self.hidden = hidden;
        self
    }

    /// Panics unless every updatable property is in the table, and each update, its repetition and its reversal have their effect.
    pub fn check(&self) {
        self.in_place(|harness, base| self.covers_all_properties(harness, base));
        for row in &self.rows {
            self.in_place(|harness, base| self.check_row(harness, base, row));
        }
        if !self.changes.is_empty() {
            self.in_place(|harness, base| self.check_changes(harness, base));
        }
    }

    fn in_place(&self, work: impl FnOnce(&Harness, &Value)) {
        match &self.place {
            Place::New(setup) => {
                let (harness, base) = setup();
                work(&harness, &base);
            }
            Place::Shared(harness, base) => work(harness, base),
        }
    }

    fn covers_all_properties(&self, harness: &Harness, base: &Value) {
        let kind = *harness.cloud.resource_type(self.type_name).expect("the type exists");
        let schema = escale_schema::schema(self.type_name).expect("the type has a schema");
        for property in kind.properties {
            let before = object(base);
            let mut after = before.clone();
            after.insert((*property).to_owned(), "another".into());
            let known = schema.mutability(property) == Mutability::CreateOnly
                || self.rows.iter().any(|row| row.property == *property)
                || self.changes.iter().any(|change| object(change).contains_key(*property))
                || self.exempt.contains(property)
                || kind.replaces(&PropertyChange { property, before, after: &after });
            assert!(known, "{}: the table has no {property}", self.type_name);
        }
    }

    fn check_row(&self, harness: &Harness, base: &Value, row: &Row<'_>) {
        let at = format!("{}.{}", self.type_name, row.property);
        let with = |value: &Value| with(base, &Map::from_iter([(row.property.to_owned(), value.clone())]));
        let mut resource = self.create(harness, with(&row.one));
        let first = self.read(harness, &resource);
        self.shows_base(&first, &with(&row.one), &[row.property]);
        shows(&at, &first, row.property, &row.one, &row.other);
        self.update_twice(harness, &mut resource, with(&row.one), &with(&row.other));
        shows(&at, &self.read(harness, &resource), row.property, &row.other, &row.one);
        self.update(harness, &mut resource, with(&row.one));
        let last = self.read(harness, &resource);
        let same = includes(&last, &first) && includes(&first, &last);
        assert!(same, "{at}: an update and its reversal change {first} into {last}");
        let Some(removal) = row.removal else { return };
        self.update(harness, &mut resource, with(&row.other));
        match removal {
            Removal::Refused => {
                let schema = escale_schema::schema(self.type_name).expect("the type has a schema");
                let is_refused = schema.coerce(object(&with(&Value::Null))).is_err()
                    || harness.update_resource(&mut resource, with(&Value::Null)).is_err();
                assert!(is_refused, "{at}: the property is required");
            }
            Removal::Keeps => {
                self.update(harness, &mut resource, with(&Value::Null));
                shows(&at, &self.read(harness, &resource), row.property, &row.other, &Value::Null);
            }
            Removal::Default => {
                let mut without = self.create(harness, with(&Value::Null));
                let default = self.read(harness, &without)[row.property].clone();
                self.update(harness, &mut resource, with(&Value::Null));
                let now = self.read(harness, &resource)[row.property].clone();
                assert!(
                    includes(&now, &default),
                    "{at}: without the property it is {now} instead of {default}"
                );
                self.update(harness, &mut without, with(&row.one));
                shows(&at, &self.read(harness, &without), row.property, &row.one, &Value::Null);
            }
        }
    }

    fn check_changes(&self, harness: &Harness, base: &Value) {
        let mut resource = self.create(harness, base.clone());
        self.shows_base(&self.read(harness, &resource), base, &[]);
        for change in &self.changes {
            self.change_and_back(harness, base, &mut resource, object(change));
        }
        let single = self.changes.iter().map(object).filter(|change| change.len() == 1);
        let together: Map<String, Value> = single.flat_map(Map::clone).collect();
        self.change_and_back(harness, base, &mut resource, &together);
        let deleted = harness.delete_resource(&resource);
        deleted.unwrap_or_else(|error| panic!("{}: deletion: {error}", self.type_name));
        let is_gone = (resource.kind.gone)(&harness.store.read(), &resource.created);
        if matches!(is_gone, Readiness::Ready(_)) {
            assert_eq!(
                harness.read_resource(&resource),
                Value::Null,
                "{}: after the deletion",
                self.type_name
            );
        }
    }

    fn change_and_back(
        &self,
        harness: &Harness,
        base: &Value,
        resource: &mut Resource,
        change: &Map<String, Value>,
    ) {
        let earlier = self.read(harness, resource);
        let after = with(base, change);
        self.update_twice(harness, resource, base.clone(), &after);
        let seen = self.read(harness, resource);
        self.shows_base(&seen, &after, &[]);
        for name in change.keys().filter(|name| !self.write_only.contains(&name.as_str())) {
            assert_ne!(seen.get(name), earlier.get(name), "{}: {name} did not change", self.type_name);
        }
        self.update(harness, resource, base.clone());
        self.shows_base(&self.read(harness, resource), base, &[]);
    }

    fn create(&self, harness: &Harness, properties: Value) -> Resource {
        let created = harness.create_resource(self.type_name, properties.clone());
        created.unwrap_or_else(|error| panic!("{} with {properties}: {error}", self.type_name))
    }

    fn update(&self, harness: &Harness, resource: &mut Resource, to: Value) {
        let updated = harness.update_resource(resource, to.clone());
        updated.unwrap_or_else(|error| panic!("{}: update to {to}: {error}", self.type_name));
    }

    /// The second update is what a rollback does after an update that was interrupted.
    fn update_twice(&self, harness: &Harness, resource: &mut Resource, from: Value, to: &Value) {
        for _ in 0..2 {
            resource.properties = coerced(self.type_name, from.clone());
            self.update(harness, resource, to.clone());
        }
    }

    fn shows_base(&self, seen: &Value, base: &Value, but: &[&str]) {
        let base = coerced(self.type_name, base.clone());
        let is_read = |name: &str| ![but, &self.exempt[..], self.write_only].concat().contains(&name);
        for (name, wanted) in object(&base).iter().filter(|(name, _)| is_read(name)) {
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

fn object(properties: &Value) -> &Map<String, Value> {
    properties.as_object().expect("properties are an object")
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

/// The properties with these changes. `null` removes a property.
fn with(base: &Value, changes: &Map<String, Value>) -> Value {
    let mut properties = object(base).clone();
    for (property, value) in changes {
        match value {
            Value::Null => properties.remove(property),
            value => properties.insert(property.clone(), value.clone()),
        };
    }
    Value::Object(properties)
}

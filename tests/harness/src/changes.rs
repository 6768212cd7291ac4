//! Checks that a type's `update` and `read` handle all of its properties.

use crate::{Harness, Resource};
use escale_base::wire::{Map, Value};
use escale_service::{PropertyChange, ResourceType};

/// A resource, and changes of single properties.
pub struct Changes<'a> {
    pub type_name: &'a str,
    /// The properties of the creation.
    pub before: Value,
    /// Objects of the properties that change together, with their new values. `null` removes a property.
    pub changes: Vec<Value>,
    /// Properties that no operation returns.
    pub write_only: &'a [&'a str],
}

impl Harness {
    /// Creates the resource, then makes each change, and at last all changes of single properties at once. After each one it reads
    /// the new values, and updates the resource back. Panics if no change has a property that the type supports and that an update
    /// may change.
    pub fn check_changes(&self, case: &Changes<'_>) -> Resource {
        let kind = *self.cloud.resource_type(case.type_name).expect("the type exists");
        covers_all(kind, case);
        let mut resource =
            self.create_resource(case.type_name, case.before.clone()).unwrap_or_else(|error| {
                panic!("{}: {error}", case.type_name);
            });
        self.must_read(&resource, case, "after the creation");
        for change in &case.changes {
            self.change_and_back(&mut resource, case, object(change));
        }
        let single = case.changes.iter().map(object).filter(|change| change.len() == 1);
        let together = single.flat_map(Map::clone).collect();
        self.change_and_back(&mut resource, case, &together);
        resource
    }

    fn change_and_back(&self, resource: &mut Resource, case: &Changes<'_>, change: &Map<String, Value>) {
        let names: Vec<&str> = change.keys().map(String::as_str).collect();
        let mut after = object(&case.before).clone();
        after.extend(change.clone());
        after.retain(|_, value| !value.is_null());
        let after = Value::Object(after);
        let earlier = self.read_resource(resource);
        // An update may be repeated, and the second one starts from the result of the first.
        for _ in 0..2 {
            resource.properties = case.before.clone();
            let done = self.update_resource(resource, after.clone());
            done.unwrap_or_else(|error| panic!("{}: change of {names:?}: {error}", case.type_name));
        }
        self.must_read(resource, case, &format!("after the change of {names:?}"));
        let seen = self.read_resource(resource);
        for name in names.iter().filter(|name| !case.write_only.contains(name)) {
            assert_ne!(seen.get(name), earlier.get(name), "{}: {name} did not change", case.type_name);
        }
        let done = self.update_resource(resource, case.before.clone());
        done.unwrap_or_else(|error| panic!("{}: {names:?} back: {error}", case.type_name));
        self.must_read(resource, case, &format!("after {names:?} changed back"));
    }

    fn must_read(&self, resource: &Resource, case: &Changes<'_>, when: &str) {
        let seen = self.read_resource(resource);
        for (name, wanted) in resource.properties.as_object().into_iter().flatten() {
            let agrees = seen.get(name).is_some_and(|value| agrees(wanted, value));
            assert!(
                agrees || case.write_only.contains(&name.as_str()),
                "{} {when}: {name} should be {wanted}, read {seen}",
                case.type_name
            );
        }
    }
}

fn covers_all(kind: ResourceType, case: &Changes<'_>) {
    let before = object(&case.before);
    for property in kind.properties {
        let covered = case.changes.iter().any(|change| object(change).contains_key(*property));
        let mut after = before.clone();
        after.insert((*property).to_owned(), "another".into());
        let replaced = kind.replaces(&PropertyChange { property, before, after: &after });
        assert!(covered || replaced, "{}: no change of {property} is tested", kind.name);
    }
}

fn object(properties: &Value) -> &Map<String, Value> {
    properties.as_object().expect("properties are an object")
}

/// Whether a value has everything that is wanted. The order of lists does not matter.
fn agrees(wanted: &Value, seen: &Value) -> bool {
    match (wanted, seen) {
        (Value::Object(wanted), Value::Object(seen)) => {
            wanted.iter().all(|(name, value)| seen.get(name).is_some_and(|seen| agrees(value, seen)))
        }
        (Value::Array(wanted), Value::Array(seen)) => {
            let all = wanted.iter().all(|value| seen.iter().any(|seen| agrees(value, seen)));
            all && wanted.len() == seen.len()
        }
        (wanted, seen) => wanted == seen,
    }
}

//! Resources of CloudFormation types in a test of their service.

use crate::{Harness, property_table::includes};
use escale_base::{AwsError, Tag, wire::Value};
use escale_service::{Created, Cx, PropertyChange, Props, ResourceType, Update};
use std::collections::BTreeSet;

/// A resource that [`Harness::create_resource`] created, with the properties that it got last.
pub struct Resource {
    pub kind: ResourceType,
    pub created: Created,
    pub properties: Value,
}

const STACK: &str = "stack";
const LOGICAL: &str = "Resource";

impl Harness {
    pub fn create_resource(&self, type_name: &str, properties: Value) -> Result<Resource, AwsError> {
        let kind = *self.cloud.resource_type(type_name).unwrap_or_else(|| panic!("no type {type_name}"));
        let properties = coerced(type_name, properties);
        let created = self.step(|cx| (kind.create)(cx, &props(&properties, &[])))?;
        Ok(Resource { kind, created, properties })
    }

    /// Updates the resource as a stack does. Panics if the change would replace it.
    pub fn update_resource(&self, resource: &mut Resource, properties: Value) -> Result<(), AwsError> {
        self.change_resource(resource, properties, false)
    }

    /// Returns the resource to earlier properties as a stack does after a failed update.
    pub fn roll_back_resource(&self, resource: &mut Resource, properties: Value) -> Result<(), AwsError> {
        self.change_resource(resource, properties, true)
    }

    fn change_resource(
        &self,
        resource: &mut Resource,
        properties: Value,
        is_rollback: bool,
    ) -> Result<(), AwsError> {
        let after = coerced(resource.kind.name, properties);
        let (old, new) = (object(&resource.properties), object(&after));
        let names: BTreeSet<String> = old.keys().chain(new.keys()).cloned().collect();
        let changed: BTreeSet<String> =
            names.into_iter().filter(|name| old.get(name) != new.get(name)).collect();
        for property in &changed {
            let change = PropertyChange { property, before: old, after: new };
            assert!(
                !resource.kind.replaces(&change),
                "a change of {property} replaces the {}",
                resource.kind.name
            );
        }
        let update = resource.kind.update.unwrap_or_else(|| panic!("{} has no update", resource.kind.name));
        let (before, to) = (props(&resource.properties, &[]), props(&after, &[]));
        let created = self.step(|cx| {
            let created = &resource.created;
            update(cx, &Update { created, before: &before, after: &to, changed: &changed, is_rollback })
        })?;
        assert_eq!(created.physical_id, resource.created.physical_id, "an update keeps the physical id");
        (resource.created, resource.properties) = (created, after);
        Ok(())
    }

    /// The properties as they are now; `null` if the resource does not exist.
    pub fn read_resource(&self, resource: &Resource) -> Value {
        let read = resource.kind.read.unwrap_or_else(|| panic!("{} has no read", resource.kind.name));
        let seen =
            self.step(|cx| read(cx, &resource.created)).unwrap_or_else(|error| panic!("read: {error}"));
        seen.map_or(Value::Null, Value::Object)
    }

    /// Panics if drift detection would show a difference between the properties and the resource.
    pub fn check_no_drift(&self, resource: &Resource) {
        let schema = escale_schema::schema(resource.kind.name).expect("the type has a schema");
        let mut wanted = object(&resource.properties).clone();
        wanted.retain(|name, _| !schema.is_write_only(&[name]));
        (resource.kind.normalize)(&mut wanted);
        let (wanted, seen) = (Value::Object(wanted), self.read_resource(resource));
        assert!(includes(&seen, &wanted), "{}: {seen} is not {wanted}", resource.kind.name);
    }

    pub fn delete_resource(&self, resource: &Resource) -> Result<(), AwsError> {
        self.step(|cx| (resource.kind.delete)(cx, &resource.created))
    }

    fn step<T>(&self, work: impl FnOnce(&mut Cx<'_>) -> Result<T, AwsError>) -> Result<T, AwsError> {
        self.cloud.transact(&self.store, &Harness::root(), work).map_err(|failed| failed.0)
    }
}

fn props<'a>(properties: &'a Value, stack_tags: &'a [Tag]) -> Props<'a> {
    Props { values: object(properties), stack_name: STACK, logical_id: LOGICAL, stack_tags }
}

fn object(properties: &Value) -> &escale_base::wire::Map<String, Value> {
    properties.as_object().expect("properties are an object")
}

pub(crate) fn coerced(type_name: &str, properties: Value) -> Value {
    let Some(schema) = escale_schema::schema(type_name) else { return properties };
    let coerced = schema.coerce(object(&properties));
    Value::Object(coerced.unwrap_or_else(|faults| panic!("{type_name}: {faults:?}")))
}

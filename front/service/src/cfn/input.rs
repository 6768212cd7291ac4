//! Converts a resource's properties to the input of an operation.
//!
//! Both have AWS's schemas, which differ in three ways that follow from the API's model: the letters' case (`ContainerPort` is
//! `containerPort` in ECS), the types of scalars (`Port` of a database is a text here, a number there) and CloudFront's lists, which are
//! structures of a quantity and items. A member with another name is listed in the rename table of the type's service.

use crate::{Cx, Named, operation};
use escale_base::{
    AwsError,
    wire::{self, Map, Value, Wire},
};
use escale_model::{Kind, ServiceModel, ShapeId, Structure};
use std::marker::PhantomData;

/// An incomplete input of the operation `O`.
pub struct InputDraft<O: Named> {
    tree: Map<String, Value>,
    operation: PhantomData<fn(O)>,
}

impl<O: Named> InputDraft<O> {
    pub fn new() -> InputDraft<O> {
        InputDraft { tree: Map::new(), operation: PhantomData }
    }

    pub(super) fn of<'a>(properties: impl Iterator<Item = (&'a String, &'a Value)>) -> InputDraft<O> {
        let tree = properties.map(|(name, value)| (name.clone(), value.clone())).collect();
        InputDraft { tree, operation: PhantomData }
    }

    /// Renames properties to members, at every depth: `(property, member)`.
    pub fn renamed(mut self, table: &[(&str, &str)]) -> InputDraft<O> {
        self.tree = rename(self.tree, table);
        self
    }

    pub fn with<T: Wire>(mut self, member: &str, value: &T) -> InputDraft<O> {
        wire::put(&mut self.tree, member, value);
        self
    }

    /// Reads the input strictly: a property without a member is an error that names it.
    pub fn read(self) -> Result<O::Input, AwsError> {
        let model = escale_model::service(O::SERVICE);
        let shape = model.and_then(|model| Some((model, model.operation(O::NAME)?.input?)));
        let tree = Value::Object(self.tree);
        operation::read(&match shape {
            Some((model, shape)) => fit(model, shape, tree),
            None => tree,
        })
    }

    pub fn call(self, cx: &mut Cx<'_>) -> Result<O::Output, AwsError> {
        cx.call_own::<O>(self.read()?)
    }
}

impl<O: Named> Default for InputDraft<O> {
    fn default() -> InputDraft<O> {
        InputDraft::new()
    }
}

fn rename(tree: Map<String, Value>, table: &[(&str, &str)]) -> Map<String, Value> {
    let one = |(name, value): (String, Value)| {
        let to = table.iter().find(|(from, _)| *from == name).map(|(_, to)| (*to).to_owned());
        (to.unwrap_or(name), rename_below(value, table))
    };
    tree.into_iter().map(one).collect()
}

fn rename_below(value: Value, table: &[(&str, &str)]) -> Value {
    match value {
        Value::Object(members) => Value::Object(rename(members, table)),
        Value::Array(items) => items.into_iter().map(|item| rename_below(item, table)).collect(),
        scalar => scalar,
    }
}

/// Converts a value to the model's form. A value that does not fit is unchanged: the reader refuses it with a better error.
fn fit(model: &ServiceModel, shape: ShapeId, value: Value) -> Value {
    match (&model.shape(shape).kind, value) {
        (Kind::Structure(structure), Value::Object(members)) => {
            let one = |(name, value): (String, Value)| match member(structure, &name) {
                Some(member) => (member.name.clone(), fit(model, member.shape, value)),
                None => (name, value),
            };
            Value::Object(members.into_iter().map(one).collect())
        }
        // CloudFront's API has `{Quantity, Items}` where its schema has a list.
        (Kind::Structure(structure), Value::Array(items)) => counted(model, structure, items),
        (Kind::List { item, .. }, Value::Array(items)) => {
            items.into_iter().map(|value| fit(model, item.shape, value)).collect()
        }
        (Kind::Map { value: inner, .. }, Value::Object(entries)) => {
            Value::Object(entries.into_iter().map(|(k, v)| (k, fit(model, inner.shape, v))).collect())
        }
        // An object for a text member is a document, such as a policy.
        (Kind::String, value @ (Value::Number(_) | Value::Bool(_) | Value::Object(_))) => {
            value.to_string().into()
        }
        (Kind::Integer { .. }, Value::String(text)) => {
            text.parse::<i64>().map_or_else(|_| text.into(), Value::from)
        }
        (Kind::Float, Value::String(text)) => text.parse::<f64>().map_or_else(|_| text.into(), Value::from),
        (Kind::Boolean, Value::String(text)) => {
            text.parse::<bool>().map_or_else(|_| text.into(), Value::from)
        }
        (_, value) => value,
    }
}

fn member<'m>(structure: &'m Structure, name: &str) -> Option<&'m escale_model::Member> {
    let same_letters = || structure.members.iter().find(|m| m.name.eq_ignore_ascii_case(name));
    structure.member(name).or_else(same_letters)
}

/// A list as `{Quantity, Items}`, and `Enabled` where the structure has it.
fn counted(model: &ServiceModel, structure: &Structure, items: Vec<Value>) -> Value {
    let (Some(_), Some(list)) = (structure.member("Quantity"), structure.member("Items")) else {
        return Value::Array(items);
    };
    let mut members = Map::new();
    if structure.member("Enabled").is_some() {
        members.insert("Enabled".into(), (!items.is_empty()).into());
    }
    members.insert("Quantity".into(), items.len().into());
    members.insert("Items".into(), fit(model, list.shape, Value::Array(items)));
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use serde_json::json;

    fn check(service: &str, operation: &str, properties: Value, expected: Expect) {
        let model = escale_model::service(service).unwrap();
        let shape = model.operation(operation).unwrap().input.unwrap();
        expected.assert_eq(&fit(model, shape, properties).to_string());
    }

    #[test]
    fn converts_names_to_the_case_of_the_api() {
        check(
            "ecs",
            "RegisterTaskDefinition",
            json!({"Family": "web", "ContainerDefinitions": [{"PortMappings": [{"ContainerPort": 80}], "DockerLabels": {"Key": "v"}}]}),
            expect![[
                r#"{"family":"web","containerDefinitions":[{"portMappings":[{"containerPort":80}],"dockerLabels":{"Key":"v"}}]}"#
            ]],
        );
    }

    #[test]
    fn converts_scalars_to_the_types_of_the_api() {
        check(
            "rds",
            "CreateDBInstance",
            json!({"AllocatedStorage": "20", "Port": "often", "EngineVersion": 15, "MultiAZ": "true"}),
            expect![[r#"{"AllocatedStorage":20,"Port":"often","EngineVersion":"15","MultiAZ":true}"#]],
        );
    }

    #[test]
    fn converts_documents_to_text() {
        check(
            "iam",
            "CreateRole",
            json!({"RoleName": "r", "AssumeRolePolicyDocument": {"Version": "2012-10-17"}}),
            expect![[r#"{"RoleName":"r","AssumeRolePolicyDocument":"{\"Version\":\"2012-10-17\"}"}"#]],
        );
    }

    #[test]
    fn adds_quantities_to_lists_of_cloudfront() {
        check(
            "cloudfront",
            "CreateDistribution",
            json!({"DistributionConfig": {"Aliases": ["a"], "DefaultCacheBehavior": {"TrustedKeyGroups": []}}}),
            expect![[
                r#"{"DistributionConfig":{"Aliases":{"Quantity":1,"Items":["a"]},"DefaultCacheBehavior":{"TrustedKeyGroups":{"Enabled":false,"Quantity":0,"Items":[]}}}}"#
            ]],
        );
    }

    #[test]
    fn renames_members_at_every_depth() {
        let tree = json!({"Rules": [{"Default": {"A": 1}}]});
        let renamed = rename_below(tree, &[("Default", "Apply"), ("A", "B")]);
        assert_eq!(renamed, json!({"Rules": [{"Apply": {"B": 1}}]}));
    }
}

//! Converts an answer of a service's API to the properties of a type: the reverse of filling an operation's input.

use crate::{
    Schema,
    node::{Node, Type},
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

impl Schema {
    /// The properties that `members` describe: members without a property and read-only properties are left out.
    ///
    /// Letters' case may differ, CloudFront's `{Quantity, Items}` becomes a list, scalars get the schema's types and a document
    /// in a text becomes an object. `renamed` lists pairs `(property, member)` for all depths.
    pub fn fit(&self, members: &Map<String, Value>, renamed: &[(&str, &str)]) -> Map<String, Value> {
        let mut fitted = Fit { schema: self, renamed }.object(&self.properties, members);
        fitted.retain(|property, _| !self.is_read_only(property));
        fitted
    }
}

struct Fit<'a> {
    schema: &'a Schema,
    renamed: &'a [(&'a str, &'a str)],
}

impl Fit<'_> {
    fn object(&self, own: &BTreeMap<String, Node>, members: &Map<String, Value>) -> Map<String, Value> {
        let find = |property: &str| {
            let other = self.renamed.iter().find(|(from, _)| *from == property).map(|(_, to)| *to);
            let same_letters = || {
                members.iter().find(|(name, _)| name.eq_ignore_ascii_case(property)).map(|(_, value)| value)
            };
            other.and_then(|to| members.get(to)).or_else(|| members.get(property)).or_else(same_letters)
        };
        let one = |(property, node): (&String, &Node)| {
            let value = find(property).filter(|value| !value.is_null())?;
            Some((property.clone(), self.value(node, value)))
        };
        own.iter().filter_map(one).collect()
    }

    fn value(&self, node: &Node, value: &Value) -> Value {
        let target = node.reference.as_deref().and_then(|name| name.strip_prefix("#/definitions/"));
        if let Some(target) = target.and_then(|name| self.schema.definitions.get(name)) {
            return self.value(target, value);
        }
        let may_be = |kind: Type| node.types.0.contains(&kind);
        match value {
            Value::Array(items) => match &node.items {
                Some(item) => items.iter().map(|value| self.value(item, value)).collect(),
                None => value.clone(),
            },
            Value::Object(members) if may_be(Type::Array) && members.contains_key("Quantity") => {
                let empty = Value::Array(Vec::new());
                self.value(node, members.get("Items").unwrap_or(&empty))
            }
            // A map with free keys, such as a task definition's labels, has no properties of its own.
            Value::Object(members) if !node.properties.is_empty() => {
                self.object(&node.properties, members).into()
            }
            Value::String(text) if may_be(Type::Object) && !may_be(Type::String) => {
                serde_json::from_str(text).unwrap_or_else(|_| value.clone())
            }
            Value::String(text) if !may_be(Type::String) && !node.types.0.is_empty() => {
                let read = serde_json::from_str(text).ok();
                read.filter(|v: &Value| v.is_number() || v.is_boolean()).unwrap_or_else(|| value.clone())
            }
            Value::Number(_) | Value::Bool(_)
                if may_be(Type::String)
                    && !may_be(Type::Number)
                    && !may_be(Type::Integer)
                    && !may_be(Type::Boolean) =>
            {
                value.to_string().into()
            }
            _ => value.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::schema;
    use serde_json::json;

    fn check(
        type_name: &str,
        members: serde_json::Value,
        renamed: &[(&str, &str)],
        expected: serde_json::Value,
    ) {
        let fitted = schema(type_name).unwrap().fit(members.as_object().unwrap(), renamed);
        assert_eq!(serde_json::Value::Object(fitted), expected);
    }

    #[test]
    fn answers_become_properties() {
        // The case of the letters, and numbers for texts.
        check(
            "AWS::ECS::TaskDefinition",
            json!({"family": "web", "cpu": 256, "containerDefinitions": [{"name": "a", "dockerLabels": {"x": "y"}}], "status": "ACTIVE"}),
            &[],
            json!({"Family": "web", "Cpu": "256", "ContainerDefinitions": [{"Name": "a", "DockerLabels": {"x": "y"}}]}),
        );
        // Lists of CloudFront, and other names.
        check(
            "AWS::CloudFront::Distribution",
            json!({"Id": "E", "DistributionConfig": {"Aliases": {"Quantity": 1, "Items": ["a"]}, "CacheBehaviors": {"Quantity": 0}}}),
            &[],
            json!({"DistributionConfig": {"Aliases": ["a"], "CacheBehaviors": []}}),
        );
        check(
            "AWS::RDS::DBInstance",
            json!({"VpcGroups": ["sg-1"], "AllocatedStorage": 20, "DBInstanceArn": "arn:aws:rds"}),
            &[("VPCSecurityGroups", "VpcGroups")],
            json!({"VPCSecurityGroups": ["sg-1"], "AllocatedStorage": "20"}),
        );
    }
}

//! Self-checks: typed shapes name only members that exist, and answers have the model's form.

use escale_base::wire::Field;
use escale_model::{Kind, Operation, ServiceModel, Shape, ShapeId};
use serde_json::Value;
use std::collections::HashSet;

/// The faults of a typed shape's fields, with paths from its root. Runs at start-up for every operation, so that a misspelled
/// field fails every test.
pub fn check_fields(model: &ServiceModel, shape: ShapeId, fields: &'static [Field]) -> Vec<String> {
    let mut found = Vec::new();
    walk_fields(model, shape, fields, &model.shape(shape).name, &mut HashSet::new(), &mut found);
    found
}

/// Shapes that are text here although the model lists their values: service, shape and reason.
const OPEN_ENDED: &[(&str, &str, &str)] = &[
    ("route53", "VPCRegion", "AWS adds regions; `ESCALE_REGION` names the only one here"),
    ("s3", "BucketLocationConstraint", "AWS adds regions; `ESCALE_REGION` names the only one here"),
];

fn walk_fields(
    model: &ServiceModel,
    shape: ShapeId,
    fields: &'static [Field],
    path: &str,
    seen: &mut HashSet<(ShapeId, *const Field)>,
    found: &mut Vec<String>,
) {
    // Shapes and Rust types may both be recursive.
    if !seen.insert((shape, fields.as_ptr())) {
        return;
    }
    match &model.shape(shape).kind {
        Kind::List { item, .. } => walk_fields(model, item.shape, fields, path, seen, found),
        Kind::Structure(structure) => {
            if fields.is_empty() && !structure.members.is_empty() && path.contains('.') {
                found.push(format!("{path}: the model has a structure, the type names none of its members"));
            }
            for field in fields {
                let at = format!("{path}.{}", field.name);
                match structure.member(field.name) {
                    None => found.push(format!("{at}: no such member{}", nearest(structure, field.name))),
                    Some(_) if field.open => {}
                    Some(member) => {
                        check_choices(model, member.shape, field.choices, &at, found);
                        walk_fields(model, member.shape, (field.below)(), &at, seen, found);
                    }
                }
            }
        }
        Kind::Document | Kind::Map { .. } if fields.is_empty() => {
            found.push(format!("{path}: the model has a map, so the type must be a map or an untyped value"));
        }
        kind if !fields.is_empty() => {
            found.push(format!("{path}: the model has a {}, but the type names members", kind.name()));
        }
        _ => {}
    }
}

/// A member whose values the model lists must be an enumeration here, with no other values. It may have fewer: values that
/// are not enacted are refused by name.
fn check_choices(
    model: &ServiceModel,
    shape: ShapeId,
    choices: Option<&'static [&'static str]>,
    path: &str,
    found: &mut Vec<String>,
) {
    let shape = model.shape(shape);
    match &shape.kind {
        Kind::List { item, .. } => check_choices(model, item.shape, choices, path, found),
        Kind::String if !shape.choices.is_empty() => match choices {
            None if may_be_text(model, shape) => {}
            None => {
                found.push(format!("{path}: the model lists the values of {}; use choice!", shape.name));
            }
            Some(words) => found.extend(
                words
                    .iter()
                    .filter(|word| !is_listed(shape, word))
                    .map(|word| format!("{path}: {word:?} is not a value of {}", shape.name)),
            ),
        },
        _ => {}
    }
}

fn may_be_text(model: &ServiceModel, shape: &Shape) -> bool {
    let is = |service: &str, name: &str| service == model.id && name == shape.name;
    OPEN_ENDED.iter().any(|(service, name, _)| is(service, name))
}

fn is_listed(shape: &Shape, word: &str) -> bool {
    shape.choices.iter().any(|choice| choice == word) || UNLISTED.contains(&(shape.name.as_str(), word))
}

/// Suggests the member that differs in case only.
fn nearest(structure: &escale_model::Structure, name: &str) -> String {
    let near = structure.members.iter().find(|m| m.name.eq_ignore_ascii_case(name));
    near.map_or_else(String::new, |m| format!(" (the model spells it {})", m.name))
}

/// Values that AWS returns although its own model does not list them, by shape. Clients compare with these.
const UNLISTED: &[(&str, &str)] = &[
    ("AttachmentStatus", "available"), // of an Internet gateway
    ("NetworkInterfaceStatus", "pending"),
    ("ResourceStatus", "REVIEW_IN_PROGRESS"), // of a stack before its first change set is executed
    ("ResourceStatus", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), // of a stack in its own events
    ("ResourceStatus", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"),
    ("NetworkInterfaceType", "nat_gateway"),
    ("State", "available"), // of a VPC endpoint
    ("State", "pending"),
    ("AccountAttributeName", "vpc-max-security-groups-per-interface"),
    ("NetworkInterfaceCreationType", "interface"),
    ("NetworkInterfaceCreationType", "nat_gateway"), // used by services only: the gate refuses it from clients
    ("NetworkInterfaceCreationType", "network_load_balancer"), // the same
];

/// The parts of an answer that the model does not have or that have the wrong type, with their paths.
pub fn check_output(model: &ServiceModel, operation: &Operation, output: &Value) -> Vec<String> {
    let mut found = Vec::new();
    match (operation.output, output) {
        (Some(shape), output) => walk_value(model, shape, output, &operation.name, &mut found),
        (None, Value::Object(object)) if object.is_empty() => {}
        (None, Value::Null) => {}
        (None, _) => found.push(format!("{}: has no output in the model", operation.name)),
    }
    found
}

fn walk_value(model: &ServiceModel, shape: ShapeId, value: &Value, path: &str, found: &mut Vec<String>) {
    let target = model.shape(shape);
    match (&target.kind, value) {
        (_, Value::Null) | (Kind::Document, _) => {}
        (Kind::Structure(structure), Value::Object(object)) => {
            for (name, inner) in object {
                let at = format!("{path}.{name}");
                match structure.member(name) {
                    Some(member) => walk_value(model, member.shape, inner, &at, found),
                    None => found.push(format!("{at}: no such member{}", nearest(structure, name))),
                }
            }
        }
        (Kind::List { item, .. }, Value::Array(items)) => {
            for (i, inner) in items.iter().enumerate() {
                walk_value(model, item.shape, inner, &format!("{path}[{i}]"), found);
            }
        }
        (Kind::Map { value: inner, .. }, Value::Object(object)) => {
            for (key, v) in object {
                walk_value(model, inner.shape, v, &format!("{path}.{key}"), found);
            }
        }
        (Kind::String, Value::String(text)) => {
            // Typed clients fail on a value that their enumeration does not have.
            if !target.choices.is_empty() && !is_listed(target, text) {
                found.push(format!("{path}: {text:?} is not a value of {}", target.name));
            }
        }
        (Kind::Blob, Value::String(_)) | (Kind::Boolean, Value::Bool(_)) => {}
        (Kind::Float | Kind::Timestamp(_), Value::Number(_)) => {}
        (Kind::Float, Value::String(text)) if matches!(text.as_str(), "NaN" | "Infinity" | "-Infinity") => {}
        (Kind::Integer { .. }, Value::Number(n)) if n.is_i64() || n.is_u64() => {}
        (kind, value) => found.push(format!("{path}: {value} is not a {}", kind.name())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_base::Wire;
    use escale_model::service;
    use serde_json::json;
    use std::collections::BTreeMap;

    escale_base::choice! { enum TaggedType { Subnet = "subnet" } }
    #[derive(Wire)]
    struct TagSet {
        resource_type: Option<TaggedType>,
        tags: Vec<escale_base::Tag>,
    }
    #[derive(Wire)]
    struct Good {
        vpc_id: String,
        tag_specifications: Vec<TagSet>,
    }
    #[derive(Wire)]
    struct Bad {
        #[wire("VPCId")]
        vpc_id: String,
        tag_specifications: Vec<String>,
        cidr_block: Option<TagSet>,
    }
    escale_base::choice! { enum Tenancy { Default = "default", Shared = "shared" } }
    #[derive(Wire)]
    struct Choices {
        instance_tenancy: Option<Tenancy>,
        ipv6_pool: Option<String>,
    }
    #[derive(Wire)]
    struct Untyped {
        scheme: String,
    }
    #[derive(Wire)]
    #[wire(camelCase)]
    struct Labels {
        docker_labels: BTreeMap<String, String>,
    }

    #[test]
    fn reports_fields_that_do_not_fit_the_model() {
        let ec2 = service("ec2").unwrap();
        let shape = ec2.operation("CreateSubnet").unwrap().input.unwrap();
        assert_eq!(check_fields(ec2, shape, Good::FIELDS), Vec::<String>::new());
        assert_eq!(
            check_fields(ec2, shape, Bad::FIELDS),
            [
                "CreateSubnetRequest.VPCId: no such member (the model spells it VpcId)",
                "CreateSubnetRequest.TagSpecifications: the model has a structure, the type names none of its members",
                "CreateSubnetRequest.CidrBlock: the model has a String, but the type names members",
            ]
        );
        let ecs = service("ecs").unwrap();
        let list = ecs.operation("RegisterTaskDefinition").unwrap().input.unwrap();
        let member = ecs.shape(list).structure().unwrap().member("containerDefinitions").unwrap();
        assert_eq!(check_fields(ecs, member.shape, Labels::FIELDS), Vec::<String>::new());
    }

    #[test]
    fn requires_enumerations_with_values_of_the_model() {
        let ec2 = service("ec2").unwrap();
        let shape = ec2.operation("CreateVpc").unwrap().input.unwrap();
        assert_eq!(
            check_fields(ec2, shape, Choices::FIELDS),
            ["CreateVpcRequest.InstanceTenancy: \"shared\" is not a value of Tenancy"]
        );
        let elbv2 = service("elbv2").unwrap();
        let shape = elbv2.operation("CreateLoadBalancer").unwrap().input.unwrap();
        assert_eq!(
            check_fields(elbv2, shape, Untyped::FIELDS),
            [
                "CreateLoadBalancerInput.Scheme: the model lists the values of LoadBalancerSchemeEnum; use choice!"
            ]
        );
    }

    #[test]
    fn reports_outputs_that_do_not_fit_the_model() {
        let ec2 = service("ec2").unwrap();
        let operation = ec2.operation("DescribeVpcs").unwrap();
        let good = json!({"Vpcs": [{"VpcId": "vpc-1", "State": "available", "IsDefault": false}]});
        assert_eq!(check_output(ec2, operation, &good), Vec::<String>::new());
        let bad = json!({"Vpcs": [{"Vpcid": "vpc-1", "State": "up", "IsDefault": "no"}]});
        assert_eq!(
            check_output(ec2, operation, &bad),
            [
                "DescribeVpcs.Vpcs[0].Vpcid: no such member (the model spells it VpcId)",
                "DescribeVpcs.Vpcs[0].State: \"up\" is not a value of VpcState",
                "DescribeVpcs.Vpcs[0].IsDefault: \"no\" is not a Boolean",
            ]
        );
    }
}

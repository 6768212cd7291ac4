//! The model's constraints on an input: required members, choices, lengths and ranges, with AWS's messages and the
//! service's codes.

use crate::Target;
use crate::fault::validation_code;
use escale_base::{AwsError, ErrorKind};
use escale_model::{Kind, Member, Operation, Protocol, ServiceModel, Shape, ShapeId};
use serde_json::Value;

/// AWS lists at most this many violations.
const MAX_LISTED: usize = 10;

/// Checks an input against the model. Lists all violations if the service does so, else the first one.
pub fn validate(target: &Target, operation: &Operation, input: &Value) -> Result<(), AwsError> {
    let Some(shape) = operation.input else { return Ok(()) };
    let mut walk = Walk { model: target.service, streams_in: operation.streams_in(), found: Vec::new() };
    walk.value(shape, input, "");
    match walk.found.first() {
        None => Ok(()),
        Some(first) => Err(worded(target, first, &walk.found)),
    }
}

enum Rule {
    Missing,
    /// The value and the constraint that it violates: `Member must have length less than or equal to 5`.
    Broken {
        value: String,
        rule: String,
        choice_of: Option<String>,
    },
}

/// Values outside of an enumeration that AWS accepts nevertheless, by service and shape; the operation gives them a meaning.
/// ECS registers a port mapping of protocol `http` as `tcp`: <https://github.com/hashicorp/terraform-provider-aws/issues/3645>.
const BEYOND_CHOICES: &[(&str, &str, &str)] = &[("ecs", "TransportProtocol", "http")];

struct Violation {
    /// In AWS's form: `tags.1.member.key`.
    path: String,
    /// The name of the member itself.
    member: String,
    rule: Rule,
}

struct Walk<'a> {
    model: &'a ServiceModel,
    streams_in: Option<&'a str>,
    found: Vec<Violation>,
}

impl Walk<'_> {
    fn value(&mut self, shape: ShapeId, value: &Value, path: &str) {
        let model = self.model;
        let target = model.shape(shape);
        match (&target.kind, value) {
            (Kind::Structure(structure), Value::Object(object)) => {
                for member in &structure.members {
                    let at = joined(path, &lower_first(&member.name));
                    match object.get(&member.name) {
                        Some(inner) => self.value(member.shape, inner, &at),
                        None => self.absent(member, path, at),
                    }
                }
            }
            (Kind::List { item, .. }, Value::Array(items)) => {
                self.length(target, items.len(), path, "'[...]'");
                for (i, inner) in items.iter().enumerate() {
                    self.value(item.shape, inner, &format!("{path}.{}.member", i + 1));
                }
            }
            (Kind::Map { key, value: inner, .. }, Value::Object(map)) => {
                self.length(target, map.len(), path, "'{...}'");
                for (k, v) in map {
                    self.value(key.shape, &Value::String(k.clone()), &joined(path, "key"));
                    self.value(inner.shape, v, &format!("{path}.{k}.member"));
                }
            }
            (Kind::String, Value::String(text)) => self.text(target, text, path),
            (Kind::Integer { .. } | Kind::Float, Value::Number(n)) => {
                self.number(target, n.as_f64().unwrap_or(0.0), path);
            }
            _ => {}
        }
    }

    fn absent(&mut self, member: &Member, outer: &str, at: String) {
        // A streamed body is never in the tree, so its absence means nothing.
        let streamed = outer.is_empty() && self.streams_in == Some(&member.name);
        if member.required && !streamed {
            self.found.push(Violation { path: at, member: member.name.clone(), rule: Rule::Missing });
        }
    }

    fn text(&mut self, shape: &Shape, text: &str, path: &str) {
        let is_accepted = || BEYOND_CHOICES.contains(&(self.model.id, &shape.name, text));
        if !shape.choices.is_empty() && !shape.choices.iter().any(|c| c == text) && !is_accepted() {
            let rule = format!("Member must satisfy enum value set: [{}]", shape.choices.join(", "));
            self.broken(path, format!("'{text}'"), rule, Some(shape.name.clone()));
        }
        self.length(shape, text.chars().count(), path, &format!("'{text}'"));
    }

    fn length(&mut self, shape: &Shape, length: usize, path: &str, shown: &str) {
        self.range(shape, length as f64, path, shown, "length");
    }

    fn number(&mut self, shape: &Shape, n: f64, path: &str) {
        self.range(shape, n, path, &format!("'{n}'"), "value");
    }

    fn range(&mut self, shape: &Shape, n: f64, path: &str, shown: &str, what: &str) {
        if let Some(min) = shape.min.filter(|min| n < *min) {
            let rule = format!("Member must have {what} greater than or equal to {min}");
            self.broken(path, shown.to_owned(), rule, None);
        }
        if let Some(max) = shape.max.filter(|max| n > *max) {
            let rule = format!("Member must have {what} less than or equal to {max}");
            self.broken(path, shown.to_owned(), rule, None);
        }
    }

    fn broken(&mut self, path: &str, value: String, rule: String, choice_of: Option<String>) {
        let member = path.split('.').rfind(|s| *s != "member" && s.parse::<usize>().is_err()).unwrap_or(path);
        let rule = Rule::Broken { value, rule, choice_of };
        self.found.push(Violation { path: path.to_owned(), member: upper_first(member), rule });
    }
}

impl Violation {
    fn sentence(&self) -> String {
        match &self.rule {
            Rule::Missing => {
                format!("Value null at '{}' failed to satisfy constraint: Member must not be null", self.path)
            }
            Rule::Broken { value, rule, .. } => {
                format!("Value {value} at '{}' failed to satisfy constraint: {rule}", self.path)
            }
        }
    }
}

fn worded(target: &Target, first: &Violation, all: &[Violation]) -> AwsError {
    let service = target.service;
    let name = &first.member;
    match (service.id, &first.rule) {
        ("ec2" | "rds", Rule::Missing) => {
            let message = format!("The request must contain the parameter {name}");
            AwsError::new(ErrorKind::Invalid, "MissingParameter", 400, message)
        }
        ("ec2", Rule::Broken { value, .. }) => {
            let value = value.trim_matches('\'');
            let message =
                format!("Value ({value}) for parameter {} is invalid. {}", first.path, first.sentence());
            AwsError::new(ErrorKind::Invalid, "InvalidParameterValue", 400, message)
        }
        ("rds", Rule::Broken { .. }) => {
            AwsError::new(ErrorKind::Invalid, "InvalidParameterValue", 400, first.sentence())
        }
        ("cloudwatch", Rule::Missing) => {
            let query = target.protocol == Protocol::Query;
            let code = if query { "MissingParameter" } else { "MissingRequiredParameterException" };
            AwsError::new(ErrorKind::Invalid, code, 400, format!("The parameter {name} is required."))
        }
        ("s3", Rule::Broken { choice_of: Some(choice), .. }) if choice == "StorageClass" => AwsError::new(
            ErrorKind::Invalid,
            "InvalidStorageClass",
            400,
            "The storage class you specified is not valid",
        ),
        ("s3", Rule::Broken { choice_of: Some(choice), .. }) if choice == "BucketLocationConstraint" => {
            AwsError::new(
                ErrorKind::Invalid,
                "InvalidLocationConstraint",
                400,
                "The specified location-constraint is not valid",
            )
        }
        ("s3", _) if first.path.contains('.') => {
            // Nested members come only from an XML body.
            let message =
                "The XML you provided was not well-formed or did not validate against our published schema";
            AwsError::new(ErrorKind::Invalid, "MalformedXML", 400, message)
        }
        ("s3", _) => AwsError::new(ErrorKind::Invalid, "InvalidArgument", 400, first.sentence())
            .with("ArgumentName", name.as_str()),
        _ => {
            let listed: Vec<String> = all.iter().take(MAX_LISTED).map(Violation::sentence).collect();
            let plural = if all.len() == 1 { "" } else { "s" };
            let message = format!("{} validation error{plural} detected: {}", all.len(), listed.join("; "));
            AwsError::new(ErrorKind::Invalid, validation_code(service, target.protocol), 400, message)
        }
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

fn upper_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(id: &str, operation: &str, input: Value, expected: &str) {
        let service = escale_model::service(id).unwrap();
        let target = Target { service, protocol: service.protocols[0], path: "/".into() };
        let result = validate(&target, service.operation(operation).unwrap(), &input);
        assert_eq!(result.map_or_else(|e| e.to_string(), |()| "fine".into()), expected);
    }

    #[test]
    fn uses_the_codes_and_messages_of_each_service() {
        check(
            "ec2",
            "CreateSubnet",
            json!({}),
            "MissingParameter: The request must contain the parameter VpcId",
        );
        check("ec2", "CreateSubnet", json!({"VpcId": "vpc-1"}), "fine");
        check(
            "ecs",
            "CreateService",
            json!({}),
            "InvalidParameterException: 1 validation error detected: Value null at 'serviceName' failed to satisfy \
             constraint: Member must not be null",
        );
        check(
            "iam",
            "CreateRole",
            json!({"RoleName": "", "AssumeRolePolicyDocument": "{}"}),
            "ValidationError: 1 validation error detected: Value '' at 'roleName' failed to satisfy constraint: \
             Member must have length greater than or equal to 1",
        );
        check(
            "kms",
            "CreateKey",
            json!({"KeyUsage": "NO", "Tags": [{"TagKey": "k"}]}),
            "ValidationException: 2 validation errors detected: Value 'NO' at 'keyUsage' failed to satisfy constraint: \
             Member must satisfy enum value set: [SIGN_VERIFY, ENCRYPT_DECRYPT, GENERATE_VERIFY_MAC, KEY_AGREEMENT, \
             ENCAPSULATE_DECAPSULATE]; \
             Value null at 'tags.1.member.tagValue' failed to satisfy constraint: Member must not be null",
        );
        check(
            "s3",
            "PutObject",
            json!({"Bucket": "b", "Key": "k", "StorageClass": "X"}),
            "InvalidStorageClass: The storage class you specified is not valid",
        );
        check("s3", "PutObject", json!({"Bucket": "b", "Key": "k"}), "fine");
    }
}

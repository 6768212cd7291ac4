//! The CloudFormation types of EC2, in terms of its own operations.
//!
//! Attributes and physical ids are AWS's:
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_EC2.html>

mod groups;
mod outside;
mod routes;
mod vpc;

use escale_base::{AwsError, wire::Value};
use escale_service::{Created, Cx, Props, Readiness, Resources};
use escale_store::Image;
use serde_json::{Map, json};

pub(crate) fn resources() -> Resources {
    [vpc::TYPES, routes::TYPES, outside::TYPES, groups::TYPES].concat()
}

/// The input of an operation, filled from properties of the same meaning.
struct Input(Map<String, Value>);

impl Input {
    fn new() -> Input {
        Input(Map::new())
    }

    fn with(mut self, member: &str, value: impl Into<Value>) -> Input {
        self.0.insert(member.to_owned(), value.into());
        self
    }

    /// Properties that are members of the same name; those not in the template are left out.
    fn texts(mut self, props: &Props<'_>, names: &[&str]) -> Input {
        for name in names {
            if let Some(value) = props.get(name) {
                self.0.insert((*name).to_owned(), value.clone());
            }
        }
        self
    }

    /// The tags of the template and the stack.
    fn tags(self, props: &Props<'_>, resource_type: &str) -> Input {
        let tags = props.tags();
        match tags.as_array().is_some_and(|t| !t.is_empty()) {
            true => self.with("TagSpecifications", json!([{"ResourceType": resource_type, "Tags": tags}])),
            false => self,
        }
    }

    fn call(self, cx: &mut Cx<'_>, operation: &str) -> Result<Value, AwsError> {
        cx.call_untyped("ec2", operation, Value::Object(self.0))
    }
}

/// The text at a path of an answer.
fn text(answer: &Value, pointer: &str) -> String {
    answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// For what is true as soon as it is written.
fn at_once(_: &Image, _: &Created) -> Readiness {
    Readiness::ready()
}

//! A CloudFormation resource type, told in terms of its service's own operations.

use crate::Cx;
use escale_base::{AwsError, ErrorKind, wire::Value};
use escale_store::Image;
use serde_json::Map;
use std::collections::BTreeMap;

/// One type, for example `AWS::EC2::VPC`. A service lists its own in `cfn.rs`; the CloudFormation service drives them
/// and knows none.
#[derive(Clone, Copy)]
pub struct ResourceType {
    pub name: &'static str,
    /// Every property that `create` reads. Another one in a template is an error before anything is created.
    pub properties: &'static [&'static str],
    /// Makes it by calling operations on `cx`, in one transaction with the record of its physical id.
    pub create: fn(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError>,
    /// Whether what was created has come true, read from the tables.
    pub ready: fn(&Image, &Created) -> Readiness,
    /// Deletes it by calling operations. What is gone already is a success.
    pub delete: fn(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError>,
    /// Whether the deletion has come true.
    pub gone: fn(&Image, &Created) -> Readiness,
}

/// Several types, declared in one place.
pub type Resources = Vec<ResourceType>;

/// A resource that exists: kept by CloudFormation with the stack.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Created {
    /// What `Ref` gives, and what `ready`, `delete` and `gone` get.
    pub physical_id: String,
    /// What `Fn::GetAtt` gives, as far as it is known at creation. Attributes that appear later are filled by
    /// `ready` through [`Readiness::Ready`].
    pub attributes: BTreeMap<String, Value>,
}

impl Created {
    pub fn new(physical_id: impl Into<String>) -> Created {
        Created { physical_id: physical_id.into(), attributes: BTreeMap::new() }
    }

    pub fn with(mut self, attribute: &str, value: impl Into<Value>) -> Created {
        self.attributes.insert(attribute.into(), value.into());
        self
    }

    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).and_then(Value::as_str).unwrap_or("")
    }
}

/// How far a resource is.
#[derive(Clone, Debug, PartialEq)]
pub enum Readiness {
    /// Not yet; says what is being waited for.
    Pending(String),
    /// Done; further attributes that only now are known.
    Ready(BTreeMap<String, Value>),
    /// It will not come about; says why.
    Failed(String),
}

impl Readiness {
    /// What the text of [`Readiness::failing`] begins with.
    pub const FAILING: &'static str = "failing: ";

    pub fn ready() -> Readiness {
        Readiness::Ready(BTreeMap::new())
    }

    /// Not yet, and something went wrong already that its owner should know of now: a health check fails, a task died. The stack
    /// goes on waiting, as AWS's does; `escale up` prints the text at once.
    pub fn failing(what: &str) -> Readiness {
        Readiness::Pending(format!("{}{what}", Readiness::FAILING))
    }
}

/// A resource's properties after all functions are resolved.
pub struct Props<'a> {
    pub values: &'a Map<String, Value>,
    pub stack_name: &'a str,
    pub logical_id: &'a str,
    /// The stack's tags and `aws:cloudformation:*`, to be laid on what can carry tags.
    pub stack_tags: &'a [escale_base::Tag],
}

impl Props<'_> {
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name).filter(|v| !v.is_null())
    }

    pub fn str(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    pub fn required(&self, name: &str) -> Result<&Value, AwsError> {
        self.get(name).ok_or_else(|| {
            AwsError::new(
                ErrorKind::Invalid,
                "ValidationError",
                400,
                format!("Property {name} of {} cannot be empty", self.logical_id),
            )
        })
    }

    /// A text that must be there.
    pub fn text(&self, name: &str) -> Result<&str, AwsError> {
        self.required(name)?.as_str().filter(|text| !text.is_empty()).ok_or_else(|| {
            let message =
                format!("Value of property {name} of {} must be a string that is not empty", self.logical_id);
            AwsError::new(ErrorKind::Invalid, "ValidationError", 400, message)
        })
    }

    /// CloudFormation takes `"true"` for `true`.
    pub fn bool(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Value::Bool(b) => Some(*b),
            Value::String(s) => match s.to_ascii_lowercase().as_str() {
                "true" => Some(true),
                "false" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// CloudFormation takes `"80"` for `80`.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Value::Number(n) => n.as_i64(),
            Value::String(s) => s.parse().ok(),
            _ => None,
        }
    }

    /// The name given by the template, or `<stack>-<logical id>-<random>`, the form of CloudFormation's own.
    pub fn name_or_generated(&self, property: &str, max: usize) -> String {
        match self.str(property) {
            Some(name) => name.to_owned(),
            None => {
                let tail = escale_base::ids::random_upper(12);
                let mut head = format!("{}-{}", self.stack_name, self.logical_id);
                head.truncate(max.saturating_sub(tail.len() + 1));
                format!("{}-{tail}", head.trim_end_matches('-'))
            }
        }
    }

    /// `Tags` of the template over the stack's, as `[{Key, Value}]`.
    pub fn tags(&self) -> Value {
        let mut tags = self.stack_tags.to_vec();
        let own = self.get("Tags").and_then(Value::as_array).into_iter().flatten();
        let own = own.filter_map(|t| {
            let value = match t.get("Value")? {
                Value::String(s) => s.clone(),
                other => other.to_string(),
            };
            Some(escale_base::Tag::new(t.get("Key")?.as_str()?, value))
        });
        escale_base::tags::merge(&mut tags, own);
        escale_base::Wire::write(&tags)
    }
}

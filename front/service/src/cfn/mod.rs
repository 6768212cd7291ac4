//! A CloudFormation resource type: what its service does to create and delete one, in terms of its own operations.
//!
//! Names, types and constraints of the properties are data ([`escale_schema`]); CloudFormation checks and coerces them before
//! any of these functions runs.

mod input;
mod props;

pub use input::InputDraft;
pub use props::Props;

use crate::{Cx, Named};
use escale_base::{
    AwsError, already_gone,
    wire::{Map, Value},
};
use escale_schema::Mutability;
use escale_store::Image;
use std::collections::BTreeMap;

type Create = fn(&mut Cx<'_>, &Props<'_>) -> Result<Created, AwsError>;
type Update = fn(&mut Cx<'_>, &Props<'_>, &Created) -> Result<Created, AwsError>;
type Delete = fn(&mut Cx<'_>, &Created) -> Result<(), AwsError>;
type Look = fn(&Image, &Created) -> Readiness;
type Read = fn(&Image, &Created) -> Option<Map<String, Value>>;

/// One type, for example `AWS::EC2::VPC`. A service lists its own in `cfn.rs`; the CloudFormation service drives them
/// and knows none.
#[derive(Clone, Copy)]
pub struct ResourceType {
    pub name: &'static str,
    /// The properties of the schema that `create` reads. Another one in a template is an error before anything is created.
    pub properties: &'static [&'static str],
    /// Makes it by calling operations on `cx`, in one transaction with the record of its physical id.
    pub create: Create,
    /// Whether what was created has come true, read from the tables.
    pub ready: Look,
    /// Gives the resource the new properties by calling operations. `None`: not implemented yet.
    pub update: Option<Update>,
    /// The resource's properties as they are now; none if it does not exist. `None`: not implemented yet.
    pub read: Option<Read>,
    /// Decides for the properties that the schema lists as `conditionalCreateOnly`: see [`ResourceType::replaces`].
    pub replaces_if: fn(&Change<'_>) -> bool,
    /// Deletes it by calling operations. What is gone already is a success.
    pub delete: Delete,
    /// Whether the deletion has come true.
    pub gone: Look,
}

/// Several types, declared in one place.
pub type Resources = Vec<ResourceType>;

impl ResourceType {
    /// A type whose creation and deletion are complete when their transaction is; no change of a property replaces it unless the
    /// schema says so without a condition.
    pub const fn new(
        name: &'static str,
        properties: &'static [&'static str],
        create: Create,
        delete: Delete,
    ) -> ResourceType {
        let at_once: Look = |_, _| Readiness::ready();
        ResourceType {
            name,
            properties,
            create,
            ready: at_once,
            update: None,
            read: None,
            replaces_if: |_| false,
            delete,
            gone: at_once,
        }
    }

    /// A creation that takes its time.
    pub const fn ready(mut self, ready: Look) -> ResourceType {
        self.ready = ready;
        self
    }

    /// A deletion that takes its time.
    pub const fn gone(mut self, gone: Look) -> ResourceType {
        self.gone = gone;
        self
    }

    pub const fn replaces_if(mut self, replaces_if: fn(&Change<'_>) -> bool) -> ResourceType {
        self.replaces_if = replaces_if;
        self
    }

    /// Whether a stack's update makes a new resource instead of changing this one. A property that is only conditionally
    /// create-only never decides that by itself.
    pub fn replaces(&self, change: &Change<'_>) -> bool {
        if change.before.get(change.property) == change.after.get(change.property) {
            return false;
        }
        match escale_schema::schema(self.name).map(|schema| schema.mutability(change.property)) {
            Some(Mutability::CreateOnly) => true,
            Some(Mutability::ConditionallyCreateOnly) => (self.replaces_if)(change),
            Some(Mutability::Updatable) | None => false,
        }
    }
}

/// A property that an update gives another value.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    pub property: &'a str,
    /// All properties of the resource in the old template.
    pub before: &'a Map<String, Value>,
    /// All properties of the resource in the new template.
    pub after: &'a Map<String, Value>,
}

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

    /// Deletes it by the operation that takes its physical id in this member. What is gone already is a success.
    pub fn delete_by<O: Named>(&self, cx: &mut Cx<'_>, member: &str) -> Result<(), AwsError> {
        already_gone(InputDraft::<O>::new().with(member, &self.physical_id).call(cx))
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

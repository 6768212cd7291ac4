//! A CloudFormation resource type: how its service creates and deletes a resource, by calling its own operations.
//!
//! Names, types and constraints of the properties are data ([`escale_schema`]); CloudFormation checks and coerces them before
//! any of these functions runs.

mod input;
mod output;
mod props;
mod update;

pub use input::InputDraft;
pub use output::{own_tags, properties_of};
pub use props::Props;
pub use update::Update;

use crate::{Cx, Named};
use escale_base::{
    AwsError, Timestamp, already_gone,
    wire::{Map, Value},
};
use escale_schema::Mutability;
use escale_store::Image;
use std::collections::BTreeMap;

type Create = fn(&mut Cx<'_>, &Props<'_>) -> Result<Created, AwsError>;
type Change = fn(&mut Cx<'_>, &Update<'_>) -> Result<Created, AwsError>;
type Delete = fn(&mut Cx<'_>, &Created) -> Result<(), AwsError>;
type Look = fn(&Image, &Created) -> Readiness;
type Within = fn(&Image, &Created) -> Option<Timestamp>;
type Current = fn(&Image, &Created, &str) -> Option<Value>;
type Read = fn(&mut Cx<'_>, &Created) -> Result<Option<Map<String, Value>>, AwsError>;
type Adopt = fn(&mut Cx<'_>, &str, &Props<'_>) -> Result<Created, AwsError>;
type Normalize = fn(&mut Map<String, Value>);

/// One type, for example `AWS::EC2::VPC`. A service lists its own types in `cfn.rs`; the CloudFormation service uses them
/// without knowing any by name.
#[derive(Clone, Copy)]
pub struct ResourceType {
    pub name: &'static str,
    /// The properties of the schema that `create` reads. Any other property in a template is an error before anything is created.
    pub properties: &'static [&'static str],
    /// Creates the resource by calling operations on `cx`, in one transaction with the record of its physical id.
    pub create: Create,
    /// Whether the creation is complete, read from the tables.
    pub ready: Look,
    /// The time until which the creation may wait, if it is longer than that of other resources.
    pub within: Within,
    /// Gives the resource its new properties by calling operations, in one transaction with the record of them. The result has
    /// the same physical id, and the attributes after the change. `None`: every property is create-only.
    pub update: Option<Change>,
    /// The resource's properties as they are now, from the service's own operations; none if it does not exist. `None`: drift
    /// of this type is not detected.
    pub read: Option<Read>,
    /// Describes an existing resource with this physical id as `create` would, for its import into a stack; `read` then finds whether
    /// it exists. `None`: resources of this type cannot be imported.
    pub adopt: Option<Adopt>,
    /// Gives a template's properties the form in which the service returns them, such as `tcp` for `TCP`. Neither form is drift.
    /// AWS has these rules in its schemas, as `propertyTransform`.
    pub normalize: Normalize,
    /// The value of an attribute that other resources change after the creation; `None` for every other attribute.
    pub current: Current,
    /// Decides for the properties that the schema does not list as create-only: see [`ResourceType::replaces`].
    pub replaces_if: fn(&PropertyChange<'_>) -> bool,
    /// Deletes the resource by calling operations. Succeeds if the resource no longer exists.
    pub delete: Delete,
    /// Whether the deletion is complete.
    pub gone: Look,
}

/// The types of one service.
pub type Resources = Vec<ResourceType>;

impl ResourceType {
    /// A type whose creation and deletion are complete with their transaction. A changed property replaces the resource only if
    /// the schema says so unconditionally.
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
            within: |_, _| None,
            update: None,
            read: None,
            adopt: None,
            normalize: |_| {},
            current: |_, _, _| None,
            replaces_if: |_| false,
            delete,
            gone: at_once,
        }
    }

    /// Sets the check for a creation that continues after its transaction.
    pub const fn ready(mut self, ready: Look) -> ResourceType {
        self.ready = ready;
        self
    }

    /// Sets the function for attributes that other resources change after the creation.
    pub const fn current(mut self, current: Current) -> ResourceType {
        self.current = current;
        self
    }

    /// Sets a time limit of its own for the creation.
    pub const fn within(mut self, within: Within) -> ResourceType {
        self.within = within;
        self
    }

    /// Sets the check for a deletion that continues after its transaction.
    pub const fn gone(mut self, gone: Look) -> ResourceType {
        self.gone = gone;
        self
    }

    /// Sets the function that changes the properties that are not create-only.
    pub const fn update(mut self, update: Change) -> ResourceType {
        self.update = Some(update);
        self
    }

    /// Sets the function that reads the properties, for the detection of drift.
    pub const fn read(mut self, read: Read) -> ResourceType {
        self.read = Some(read);
        self
    }

    /// Sets the function that describes an existing resource for its import.
    pub const fn adopt(mut self, adopt: Adopt) -> ResourceType {
        self.adopt = Some(adopt);
        self
    }

    /// Sets the function that gives a template's properties the form in which the service returns them.
    pub const fn normalize(mut self, normalize: Normalize) -> ResourceType {
        self.normalize = normalize;
        self
    }

    pub const fn replaces_if(mut self, replaces_if: fn(&PropertyChange<'_>) -> bool) -> ResourceType {
        self.replaces_if = replaces_if;
        self
    }

    /// The property that has the resource's tags, if its type supports them.
    pub fn tags_property(&self) -> Option<&'static str> {
        ["Tags", "HostedZoneTags"].into_iter().find(|name| self.properties.contains(name))
    }

    /// Whether a stack's update creates a new resource instead of changing this one. `replaces_if` decides for a conditionally
    /// create-only property, and for one that AWS replaces although its schema does not say so.
    pub fn replaces(&self, change: &PropertyChange<'_>) -> bool {
        if change.before.get(change.property) == change.after.get(change.property) {
            return false;
        }
        let Some(schema) = escale_schema::schema(self.name) else { return (self.replaces_if)(change) };
        match schema.mutability(change.property) {
            Mutability::CreateOnly => true,
            Mutability::ConditionallyCreateOnly => (self.replaces_if)(change),
            Mutability::Updatable => {
                let of = |properties: &'_ Map<String, Value>, member: &str| {
                    properties.get(change.property).and_then(|value| value.get(member)).cloned()
                };
                let differs = |member| of(change.before, member) != of(change.after, member);
                schema.create_only_members(change.property).any(differs) || (self.replaces_if)(change)
            }
        }
    }
}

/// A property whose value an update changes.
#[derive(Clone, Copy, Debug)]
pub struct PropertyChange<'a> {
    pub property: &'a str,
    /// All properties of the resource in the old template.
    pub before: &'a Map<String, Value>,
    /// All properties of the resource in the new template.
    pub after: &'a Map<String, Value>,
}

/// An existing resource, as CloudFormation stores it with the stack.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Created {
    /// The value of `Ref`; also passed to `ready`, `delete` and `gone`.
    pub physical_id: String,
    /// The values of `Fn::GetAtt` that are known at creation. `ready` adds later ones through [`Readiness::Ready`].
    pub attributes: BTreeMap<String, Value>,
    /// What the type itself needs later, such as the keys of the rows that it created. No template can read it.
    pub private: BTreeMap<String, Value>,
}

impl Created {
    pub fn new(physical_id: impl Into<String>) -> Created {
        Created { physical_id: physical_id.into(), ..Created::default() }
    }

    pub fn with(mut self, attribute: &str, value: impl Into<Value>) -> Created {
        self.attributes.insert(attribute.into(), value.into());
        self
    }

    /// Stores a value for the type itself.
    pub fn with_private(mut self, name: &str, value: impl Into<Value>) -> Created {
        self.private.insert(name.into(), value.into());
        self
    }

    /// Deletes the resource by the operation that takes the physical id in this member. Succeeds if it no longer exists.
    pub fn delete_by<O: Named>(&self, cx: &mut Cx<'_>, member: &str) -> Result<(), AwsError> {
        already_gone(InputDraft::<O>::new().with(member, &self.physical_id).call(cx))
    }

    /// A text that the resource's `create` has stored. Its absence is a bug, or a state file that something else has written.
    pub fn attribute(&self, name: &str) -> Result<&str, AwsError> {
        self.attributes.get(name).or_else(|| self.private.get(name)).and_then(Value::as_str).ok_or_else(|| {
            tracing::error!(resource = %self.physical_id, attribute = name, "a resource of a stack has no such attribute");
            AwsError::internal()
        })
    }

    /// The texts of a private list; none if `create` has stored none.
    pub fn private_list(&self, name: &str) -> impl Iterator<Item = &str> {
        self.private.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }
}

/// The progress of a resource's creation or deletion.
#[derive(Clone, Debug, PartialEq)]
pub enum Readiness {
    /// Not complete; names what it waits for.
    Pending(String),
    /// Complete, with the attributes that were not known at creation.
    Ready(BTreeMap<String, Value>),
    /// It cannot complete; names the reason.
    Failed(String),
}

impl Readiness {
    /// The prefix of the text of [`Readiness::failing`].
    pub const FAILING: &'static str = "failing: ";

    pub fn ready() -> Readiness {
        Readiness::Ready(BTreeMap::new())
    }

    /// Not complete, and something failed that the user should know of now: a health check fails, a task died. The stack
    /// continues to wait, as AWS's does; `escale up` prints the text at once.
    pub fn failing(what: &str) -> Readiness {
        Readiness::Pending(format!("{}{what}", Readiness::FAILING))
    }
}

//! Stacks.

use super::Removal;
use crate::row;
use escale_base::{Tag, Timestamp, wire::Value};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A stack, also one that is deleted: it is found by its id for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stack {
    /// The last part of the ARN.
    pub uuid: String,
    /// What AWS calls the stack's id.
    pub arn: String,
    pub name: String,
    pub content: Content,
    pub phase: Phase,
    /// When the phase began.
    pub since: Timestamp,
    pub reason: Option<String>,
    pub on_failure: OnFailure,
    pub retain_except_on_create: bool,
    pub timeout_minutes: Option<u32>,
    pub termination_protection: bool,
    /// The change set that was executed last.
    pub change_set: Option<String>,
    /// `ClientRequestToken` of the creation.
    pub creation_token: Option<String>,
    /// `ClientRequestToken` of what is going on: its events carry it.
    pub token: Option<String>,
    /// Who asked for what is going on, as the front door told: resources are made and deleted in their name.
    pub principal: Value,
    pub outputs: Vec<StackOutput>,
    /// Exports of other stacks that this one uses.
    pub imports: BTreeSet<String>,
    /// How many events it had so far.
    pub events: u64,
    pub created: Timestamp,
    /// When a change set was executed.
    pub executed: Option<Timestamp>,
    pub deleted: Option<Timestamp>,
}
row!(Stack, "cloudformation_stack", |r| r.uuid.clone());

/// What a stack is made from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Content {
    pub template: String,
    pub description: Option<String>,
    /// Every parameter, defaults filled in.
    pub parameters: BTreeMap<String, String>,
    /// Parameters that `NoEcho` hides.
    pub hidden: BTreeSet<String>,
    /// What the parameter store held, by name of the parameter.
    pub resolved: BTreeMap<String, String>,
    pub tags: Vec<Tag>,
    pub capabilities: Vec<Capability>,
    pub resources: Vec<Planned>,
}

/// A resource that the template has under the given conditions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    pub logical_id: String,
    pub type_name: String,
    /// Logical ids of what must stand first.
    pub needs: BTreeSet<String>,
    pub removal: Removal,
}

/// Where the stack is on its way. It is a wish: the engine makes it come about and writes the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Only a change set stands.
    Review,
    Creating,
    Created,
    CreateFailed,
    RollingBack,
    RolledBack,
    RollbackFailed,
    Deleting,
    DeleteFailed,
    Deleted,
}

impl Phase {
    /// Whether the engine has work.
    pub fn is_busy(self) -> bool {
        matches!(self, Phase::Creating | Phase::RollingBack | Phase::Deleting)
    }
}

escale_base::choice! {
    pub enum OnFailure { Rollback = "ROLLBACK", Delete = "DELETE", DoNothing = "DO_NOTHING" }
}

escale_base::choice! {
    /// What the user of a template acknowledges that it does.
    pub enum Capability {
        CapabilityIam = "CAPABILITY_IAM", CapabilityNamedIam = "CAPABILITY_NAMED_IAM",
        CapabilityAutoExpand = "CAPABILITY_AUTO_EXPAND",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackOutput {
    pub key: String,
    pub value: String,
    pub description: Option<String>,
    pub export: Option<String>,
}

/// Stands while the stack has work for the engine, so that a change elsewhere wakes these stacks and no others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Busy {
    pub stack: String,
}
row!(Busy, "cloudformation_busy", |r| r.stack.clone());

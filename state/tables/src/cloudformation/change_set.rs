//! Change sets.

use super::{ClientRequestToken, Content, LogicalId, PhysicalId, StackUuid};
use crate::row;
use escale_base::{Timestamp, wire::Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

escale_base::name! {
    /// The last part of a change set's ARN.
    ChangeSetUuid;
    /// `arn:aws:cloudformation:<region>:<account>:changeSet/<name>/<uuid>`, which AWS calls the change set's id.
    ChangeSetArn;
    /// A change set's name, unique in its stack.
    ChangeSetName;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeSet {
    pub uuid: ChangeSetUuid,
    pub arn: ChangeSetArn,
    pub name: ChangeSetName,
    pub stack: StackUuid,
    pub description: Option<String>,
    pub content: Content,
    /// The answer's list of changes, made when the change set was.
    pub changes: Vec<Value>,
    pub phase: ChangeSetPhase,
    /// The existing resources that the stack gets.
    #[serde(default)]
    pub imports: BTreeMap<LogicalId, PhysicalId>,
    /// `OnStackFailure`.
    pub on_failure: Option<super::OnFailure>,
    pub include_nested_stacks: bool,
    /// The change set of the parent, if the stack is nested and that one has made this one.
    #[serde(default)]
    pub above: Option<ChangeSetAbove>,
    /// The change sets of nested stacks.
    #[serde(default)]
    pub nested: BTreeMap<LogicalId, ChangeSetArn>,
    /// The role that the change set's execution gives to the stack.
    pub role: Option<super::ServiceRoleArn>,
    pub token: Option<ClientRequestToken>,
    pub created: Timestamp,
}
row!(ChangeSet, "cloudformation_change_set", |r| ChangeSet::key_of(&r.stack, &r.name));

impl ChangeSet {
    pub fn key_of(stack: &StackUuid, name: &ChangeSetName) -> String {
        format!("{stack}/{name}")
    }
}

/// The place of a change set of a nested stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeSetAbove {
    pub parent: ChangeSetArn,
    pub root: ChangeSetArn,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeSetPhase {
    /// Can be executed.
    Available,
    /// Cannot be executed, with the reason.
    Failed(String),
    Executed,
}

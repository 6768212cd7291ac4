//! Change sets.

use super::{ClientRequestToken, Content, StackUuid};
use crate::row;
use escale_base::{Timestamp, wire::Value};
use serde::{Deserialize, Serialize};

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
    /// `OnStackFailure`.
    pub on_failure: Option<super::OnFailure>,
    pub include_nested_stacks: bool,
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

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeSetPhase {
    /// Can be executed.
    Available,
    /// Cannot be executed, with the reason.
    Failed(String),
    Executed,
}

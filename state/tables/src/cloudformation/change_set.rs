//! Change sets.

use super::Content;
use crate::row;
use escale_base::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeSet {
    pub uuid: String,
    pub arn: String,
    pub name: String,
    /// The stack's uuid.
    pub stack: String,
    pub description: Option<String>,
    pub content: Content,
    pub phase: ChangeSetPhase,
    /// `OnStackFailure`.
    pub on_failure: Option<super::OnFailure>,
    pub include_nested_stacks: bool,
    pub token: Option<String>,
    pub created: Timestamp,
}
row!(ChangeSet, "cloudformation_change_set", |r| format!("{}/{}", r.stack, r.name));

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeSetPhase {
    /// Can be executed.
    Available,
    /// Cannot be executed, with the reason.
    Failed(String),
    Executed,
}

//! The resources of a stack.

use super::StackUuid;
use crate::row;
use escale_base::{
    Tag, Timestamp,
    wire::{Map, Value},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

escale_base::name! {
    /// The name of a resource in its template.
    LogicalId;
    /// The id that the resource's service gave it.
    PhysicalId;
    /// The name of a resource type: `AWS::EC2::VPC`
    TypeName;
}

/// One physical resource of one stack. During an update a logical id may have several: the replaced one and its successor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StackResource {
    pub stack: StackUuid,
    pub logical_id: LogicalId,
    /// Counts the replacements of the logical id.
    pub version: u32,
    pub role: Role,
    pub type_name: TypeName,
    /// Its position in the template.
    pub place: u32,
    /// The resources that must exist first.
    pub needs: BTreeSet<LogicalId>,
    /// What happens to it when it leaves the stack.
    pub removal: Removal,
    /// What happens to it when an update replaces it.
    pub replaced: Removal,
    pub state: ResourceState,
    /// Whether it must still be compared with the stack's content.
    pub pending: bool,
    /// The number of the content that it was created with or changed for last.
    pub applied: u32,
    /// When the state began.
    pub since: Timestamp,
    /// The reason for the state, from its event.
    pub reason: Option<String>,
    /// The pending reason.
    pub waiting_for: Option<String>,
    /// Set in the commit that created the resource.
    pub physical_id: Option<PhysicalId>,
    /// The values of `Fn::GetAtt`.
    pub attributes: BTreeMap<String, Value>,
    /// What the resource's type has stored for itself.
    #[serde(default)]
    pub private: BTreeMap<String, Value>,
    /// The properties that it has, evaluated. Dynamic references are not resolved and values of `NoEcho` parameters are hashed.
    pub properties: Map<String, Value>,
    /// The stack's tags that it has.
    pub tags: Vec<Tag>,
}
row!(StackResource, "cloudformation_resource", |r| StackResource::key_of(&r.stack, &r.logical_id, r.version));

impl StackResource {
    pub fn key_of(stack: &StackUuid, logical_id: &LogicalId, version: u32) -> String {
        format!("{stack}/{logical_id}/{version:010}")
    }

    /// Whether the resource belongs to the stack's content.
    pub fn is_current(&self) -> bool {
        matches!(self.role, Role::Kept | Role::New)
    }

    /// Whether the resource exists with the properties of the stack's content.
    pub fn is_settled(&self) -> bool {
        let is_done =
            matches!(self.state, ResourceState::Created | ResourceState::Updated | ResourceState::Imported);
        is_done && !self.pending
    }
}

/// The contents to which a resource belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// The stack's content and, during an update, the stable one.
    Kept,
    /// The stack's content only: the running update creates it.
    New,
    /// The stable content only: the running update removes or replaces it.
    Old,
    /// None: a failed update left it.
    Orphan,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResourceState {
    /// The creation has not started.
    Waiting,
    /// The service's rows exist; the resource is not ready yet.
    Creating,
    Created,
    CreateFailed,
    /// The service has accepted the change or the replacement; the resource is not ready yet.
    Updating,
    Updated,
    UpdateFailed,
    /// The stack has not created it.
    Imported,
    /// The deletion is in progress; `asked` once its service has accepted it.
    Deleting {
        asked: bool,
    },
    Deleted,
    DeleteFailed,
    /// Not deleted with its stack.
    Retained,
}

/// What happens to a resource when its stack is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Removal {
    Delete,
    Retain,
    RetainExceptOnCreate,
    Snapshot,
}

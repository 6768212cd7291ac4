//! The resources of a stack.

use super::StackUuid;
use crate::row;
use escale_base::{Timestamp, wire::Value};
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

/// One resource of one stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StackResource {
    pub stack: StackUuid,
    pub logical_id: LogicalId,
    pub type_name: TypeName,
    /// Its position in the template.
    pub place: u32,
    /// The resources that must exist first.
    pub needs: BTreeSet<LogicalId>,
    pub removal: Removal,
    pub state: ResourceState,
    /// When the state began.
    pub since: Timestamp,
    /// The reason for the state, from its event.
    pub reason: Option<String>,
    /// The pending reason.
    pub waiting_for: Option<String>,
    /// Set in the commit that created the resource.
    pub physical_id: Option<PhysicalId>,
    pub attributes: BTreeMap<String, Value>,
}
row!(StackResource, "cloudformation_resource", |r| StackResource::key_of(&r.stack, &r.logical_id));

impl StackResource {
    pub fn key_of(stack: &StackUuid, logical_id: &LogicalId) -> String {
        format!("{stack}/{logical_id}")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResourceState {
    /// The creation has not started.
    Waiting,
    /// The service's rows exist; the resource is not ready yet.
    Creating,
    Created,
    CreateFailed,
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

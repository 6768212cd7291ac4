//! The resources of a stack.

use crate::row;
use escale_base::{Timestamp, wire::Value};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One resource of one stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StackResource {
    /// The stack's uuid.
    pub stack: String,
    pub logical_id: String,
    pub type_name: String,
    /// Its place in the template.
    pub place: u32,
    /// Logical ids of what must stand first.
    pub needs: BTreeSet<String>,
    pub removal: Removal,
    pub state: ResourceState,
    /// When the state began.
    pub since: Timestamp,
    /// Why the state is this one, as its event says.
    pub reason: Option<String>,
    /// What has not come true yet.
    pub waiting_for: Option<String>,
    /// Set with the same commit that made the resource.
    pub physical_id: Option<String>,
    pub attributes: BTreeMap<String, Value>,
}
row!(StackResource, "cloudformation_resource", |r| format!("{}/{}", r.stack, r.logical_id));

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResourceState {
    /// Not begun.
    Waiting,
    /// Made; not yet what it is to be.
    Creating,
    Created,
    CreateFailed,
    /// To be deleted; `asked` once its service has taken the deletion.
    Deleting {
        asked: bool,
    },
    Deleted,
    DeleteFailed,
    /// Left alone when its stack was deleted.
    Retained,
}

/// What becomes of it when the stack goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Removal {
    Delete,
    Retain,
    RetainExceptOnCreate,
    Snapshot,
}

//! Differences between a stack's resources and its template, as a detection found them.

use super::{LogicalId, PhysicalId, StackUuid, TypeName};
use crate::row;
use escale_base::{
    Timestamp,
    wire::{Map, Value},
};
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// The id of one detection for a whole stack.
    DriftDetectionId;
    /// The path of a value in a resource's properties: `/Tags/0/Value`
    PropertyPath;
}

/// The result for one resource. An update of the stack deletes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResourceDrift {
    pub stack: StackUuid,
    pub logical_id: LogicalId,
    pub physical_id: PhysicalId,
    pub type_name: TypeName,
    pub finding: Finding,
    pub at: Timestamp,
}
row!(ResourceDrift, "cloudformation_resource_drift", |r| ResourceDrift::key_of(&r.stack, &r.logical_id));

impl ResourceDrift {
    pub fn key_of(stack: &StackUuid, logical_id: &LogicalId) -> String {
        format!("{stack}/{logical_id}")
    }

    pub fn has_drifted(&self) -> bool {
        match &self.finding {
            Finding::Compared { differences, .. } => !differences.is_empty(),
            Finding::Deleted { .. } => true,
            Finding::Unreadable(_) => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Finding {
    /// The properties that the template sets, as they should be and as they are. Secrets are masked.
    Compared {
        expected: Map<String, Value>,
        actual: Map<String, Value>,
        differences: Vec<PropertyDifference>,
    },
    Deleted {
        expected: Map<String, Value>,
    },
    /// The service refused to show the resource, with its reason.
    Unreadable(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PropertyDifference {
    pub path: PropertyPath,
    pub kind: DifferenceType,
    /// `null` for a value that was added.
    pub expected: Value,
    /// `null` for a value that was removed.
    pub actual: Value,
}

escale_base::choice! {
    pub enum DifferenceType { Add = "ADD", Remove = "REMOVE", NotEqual = "NOT_EQUAL" }
}

/// A detection for all resources of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftDetection {
    pub id: DriftDetectionId,
    pub stack: StackUuid,
    /// The number of resources that differ or do not exist.
    pub drifted: u32,
    /// The resources that could not be read.
    pub unreadable: Vec<LogicalId>,
    pub at: Timestamp,
    /// Whether the stack has been updated since.
    pub is_outdated: bool,
}
row!(DriftDetection, "cloudformation_drift_detection", |r| r.id.to_string());

//! What happened to a stack.

use crate::row;
use escale_base::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackEvent {
    /// The stack's uuid.
    pub stack: String,
    /// Counts from 0 within the stack.
    pub number: u64,
    pub id: String,
    pub logical_id: String,
    pub physical_id: String,
    pub type_name: String,
    /// AWS's word, as it was told.
    pub status: String,
    pub reason: Option<String>,
    pub token: Option<String>,
    pub at: Timestamp,
}
row!(StackEvent, "cloudformation_event", |r| format!("{}/{:010}", r.stack, r.number));

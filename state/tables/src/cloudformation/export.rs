//! Values that stacks export.

use crate::row;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    pub name: String,
    pub value: String,
    /// The uuid of the exporting stack.
    pub stack: String,
}
row!(Export, "cloudformation_export", |r| r.name.clone());

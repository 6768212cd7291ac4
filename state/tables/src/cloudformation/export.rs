//! Values that stacks export.

use super::StackUuid;
use crate::row;
use serde::{Deserialize, Serialize};

escale_base::name! {
    /// The name of an exported value, unique in the region.
    ExportName;
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    pub name: ExportName,
    pub value: String,
    /// The exporting stack.
    pub stack: StackUuid,
}
row!(Export, "cloudformation_export", |r| r.name.to_string());

//! The rows of CloudFormation.

mod change_set;
mod event;
mod export;
mod resource;
mod stack;

pub use change_set::{ChangeSet, ChangeSetPhase};
pub use event::{ResourceStatus, StackEvent};
pub use export::Export;
pub use resource::{Removal, ResourceState, StackResource};
pub use stack::{Busy, Capability, Content, OnFailure, Phase, Planned, Stack, StackOutput};

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[
    TableDef::of::<Stack>(),
    TableDef::of::<Busy>(),
    TableDef::of::<StackResource>(),
    TableDef::of::<StackEvent>(),
    TableDef::of::<ChangeSet>(),
    TableDef::of::<Export>(),
];

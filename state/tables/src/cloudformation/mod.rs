//! The rows of CloudFormation.

mod change_set;
mod event;
mod export;
mod resource;
mod stack;

pub use change_set::{ChangeSet, ChangeSetArn, ChangeSetName, ChangeSetPhase, ChangeSetUuid};
pub use event::{EventId, ResourceStatus, StackEvent};
pub use export::{Export, ExportName};
pub use resource::{LogicalId, PhysicalId, Removal, ResourceState, StackResource, TypeName};
pub use stack::{
    Busy, Capability, ClientRequestToken, Content, OnFailure, OutputKey, ParameterKey, Phase, Planned, Stack,
    StackArn, StackName, StackOutput, StackUuid,
};

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[
    TableDef::of::<Stack>(),
    TableDef::of::<Busy>(),
    TableDef::of::<StackResource>(),
    TableDef::of::<StackEvent>(),
    TableDef::of::<ChangeSet>(),
    TableDef::of::<Export>(),
];

//! The rows of CloudFormation.

mod change_set;
mod drift;
mod event;
mod export;
mod resource;
mod stack;
mod wait;

pub use change_set::{ChangeSet, ChangeSetAbove, ChangeSetArn, ChangeSetName, ChangeSetPhase, ChangeSetUuid};
pub use drift::{
    DifferenceType, DriftDetection, DriftDetectionId, Finding, PropertyDifference, PropertyPath,
    ResourceDrift,
};
pub use event::{EventCount, EventId, ResourceStatus, StackEvent};
pub use export::{Export, ExportName};
pub use resource::{LogicalId, PhysicalId, Removal, ResourceState, Role, StackResource, TypeName};
pub use stack::{
    Busy, Capability, ClientRequestToken, Content, Nested, OnFailure, OutputKey, ParameterKey, Phase,
    Planned, ServiceRoleArn, Stack, StackArn, StackContent, StackName, StackOutput, StackUuid, TemplateUrl,
};
pub use wait::{SignalId, SignalStatus, WaitCondition, WaitHandle, WaitHandleId, WaitSignal};

use escale_store::TableDef;

pub const TABLES: &[TableDef] = &[
    TableDef::of::<Stack>(),
    TableDef::of::<StackContent>(),
    TableDef::of::<Busy>(),
    TableDef::of::<StackResource>(),
    TableDef::of::<StackEvent>(),
    TableDef::of::<EventCount>(),
    TableDef::of::<ChangeSet>(),
    TableDef::of::<Export>(),
    TableDef::of::<WaitHandle>(),
    TableDef::of::<WaitCondition>(),
    TableDef::of::<ResourceDrift>(),
    TableDef::of::<DriftDetection>(),
];

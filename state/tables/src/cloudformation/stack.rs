//! Stacks.

use super::{ChangeSetArn, ExportName, LogicalId, Removal, TypeName};
use crate::row;
use escale_base::{Tag, Timestamp, wire::Value};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

escale_base::name! {
    /// The last part of a stack's ARN.
    StackUuid;
    /// `arn:aws:cloudformation:<region>:<account>:stack/<name>/<uuid>`, which AWS calls the stack's id.
    StackArn;
    /// A stack's name, unique among the stacks that are not deleted.
    StackName;
    /// The client's mark for one request, which its retries share.
    ClientRequestToken;
    /// The name of a parameter in its template.
    ParameterKey;
    /// The name of an output in its template.
    OutputKey;
    /// The URL of a nested stack's template in S3.
    TemplateUrl;
    /// The ARN of a role that CloudFormation assumes for a stack.
    ServiceRoleArn;
}

/// A stack. A deleted one stays for a while and is found by its id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stack {
    pub uuid: StackUuid,
    pub arn: StackArn,
    pub name: StackName,
    /// Its place, if it is a resource of another stack.
    #[serde(default)]
    pub nested: Option<Nested>,
    /// The number of the content that the resources have or get: see [`StackContent`].
    pub content: u32,
    /// The number of the content to which a failed update returns. `None` until the stack has been created.
    pub stable: Option<u32>,
    pub phase: Phase,
    /// When the phase began.
    pub since: Timestamp,
    pub reason: Option<String>,
    pub on_failure: OnFailure,
    pub retain_except_on_create: bool,
    pub timeout_minutes: Option<u32>,
    pub termination_protection: bool,
    /// The change set that was executed last.
    pub change_set: Option<ChangeSetArn>,
    /// `ClientRequestToken` of the creation.
    pub creation_token: Option<ClientRequestToken>,
    /// `ClientRequestToken` of the current operation; its events have it.
    pub token: Option<ClientRequestToken>,
    /// The caller of the current operation, or the role: resources are created and deleted with its permissions.
    pub principal: Value,
    /// The role that acts for the stack.
    pub role: Option<ServiceRoleArn>,
    pub outputs: Vec<StackOutput>,
    /// Exports of other stacks that this one uses.
    pub imports: BTreeSet<ExportName>,
    pub created: Timestamp,
    /// The start of the last update, or of the creation by a change set.
    pub executed: Option<Timestamp>,
    pub deleted: Option<Timestamp>,
}
row!(Stack, "cloudformation_stack", |r| r.uuid.to_string());

/// The place of a nested stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nested {
    pub parent: StackArn,
    /// The stack above all.
    pub root: StackArn,
}

/// One content of a stack. During an update there are two: the one to reach, and the one to which a failure returns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StackContent {
    pub stack: StackUuid,
    /// Larger than the numbers of all earlier contents of the stack.
    pub number: u32,
    pub content: Content,
}
row!(StackContent, "cloudformation_content", |r| StackContent::key_of(&r.stack, r.number));

impl StackContent {
    pub fn key_of(stack: &StackUuid, number: u32) -> String {
        format!("{stack}/{number:010}")
    }
}

/// The template and the parameters of a stack or change set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// After its transform.
    pub template: String,
    /// The template as written, if it has a transform.
    #[serde(default)]
    pub original: Option<String>,
    pub description: Option<String>,
    /// All parameters, including defaults.
    pub parameters: BTreeMap<ParameterKey, String>,
    /// Parameters that `NoEcho` hides.
    pub hidden: BTreeSet<ParameterKey>,
    /// Values from the parameter store.
    pub resolved: BTreeMap<ParameterKey, String>,
    pub tags: Vec<Tag>,
    pub capabilities: Vec<Capability>,
    pub resources: Vec<Planned>,
    /// The templates of the nested stacks at all depths, as they were when the content was accepted.
    #[serde(default)]
    pub templates: BTreeMap<TemplateUrl, String>,
}

impl Content {
    /// The template before its transform.
    pub fn written(&self) -> &str {
        self.original.as_deref().unwrap_or(&self.template)
    }
}

/// A resource of the template whose condition holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    pub logical_id: LogicalId,
    pub type_name: TypeName,
    /// The resources that must exist first.
    pub needs: BTreeSet<LogicalId>,
    /// `DeletionPolicy`
    pub removal: Removal,
    /// `UpdateReplacePolicy`
    pub replaced: Removal,
}

/// The phase of a stack. It is a wish: the engine executes it and writes the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// The stack has only change sets.
    Review,
    Creating,
    Created,
    CreateFailed,
    RollingBack,
    RolledBack,
    RollbackFailed,
    Updating,
    /// All resources have the new content; those that it no longer has are being deleted.
    UpdateCleanup,
    Updated,
    /// An update failed, and its request disabled the rollback.
    UpdateFailed,
    UpdateRollingBack,
    UpdateRollbackFailed,
    /// All resources have the stable content again; those of the failed update are being deleted.
    UpdateRollbackCleanup,
    UpdateRolledBack,
    Importing,
    Imported,
    /// An import failed; the stack is as it was before.
    ImportRolledBack,
    Deleting,
    DeleteFailed,
    Deleted,
}

impl Phase {
    /// Whether the engine has work.
    pub fn is_busy(self) -> bool {
        matches!(self, Phase::Creating | Phase::RollingBack | Phase::Importing | Phase::Deleting)
            || self.is_updating()
    }

    /// Whether the engine updates the stack, or undoes a failed update.
    pub fn is_updating(self) -> bool {
        matches!(
            self,
            Phase::Updating | Phase::UpdateCleanup | Phase::UpdateRollingBack | Phase::UpdateRollbackCleanup
        )
    }
}

escale_base::choice! {
    pub enum OnFailure { Rollback = "ROLLBACK", Delete = "DELETE", DoNothing = "DO_NOTHING" }
}

escale_base::choice! {
    /// An effect of a template that the caller acknowledges.
    pub enum Capability {
        CapabilityIam = "CAPABILITY_IAM", CapabilityNamedIam = "CAPABILITY_NAMED_IAM",
        CapabilityAutoExpand = "CAPABILITY_AUTO_EXPAND",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackOutput {
    pub key: OutputKey,
    pub value: String,
    pub description: Option<String>,
    pub export: Option<ExportName>,
}

/// Exists while the stack has work for the engine: a change of any table wakes only these stacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Busy {
    pub stack: StackUuid,
}
row!(Busy, "cloudformation_busy", |r| r.stack.to_string());

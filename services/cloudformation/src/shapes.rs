//! Response shapes that several operations share.

use crate::{
    choices::{StackDriftStatus, StackResourceDriftStatus, StackStatus},
    status,
    template::{Parameter, Template},
};
use escale_base::{Tag, Timestamp, Wire};
use escale_tables::cloudformation::{
    Capability, ChangeSetArn, Content, ExportName, OnFailure, OutputKey, ParameterKey, ServiceRoleArn, Stack,
    StackArn, StackName,
};

#[derive(Clone, Debug, Default, Wire)]
pub(crate) struct ParameterShape {
    pub(crate) parameter_key: Option<ParameterKey>,
    pub(crate) parameter_value: Option<String>,
    pub(crate) use_previous_value: Option<bool>,
    pub(crate) resolved_value: Option<String>,
}

/// The parameters for a response; values of `NoEcho` parameters are masked.
pub(crate) fn parameters(content: &Content) -> Vec<ParameterShape> {
    let shape = |(name, value): (&ParameterKey, &String)| {
        let hide = |value: &String| if content.hidden.contains(name) { "****".into() } else { value.clone() };
        ParameterShape {
            parameter_key: Some(name.clone()),
            parameter_value: Some(hide(value)),
            use_previous_value: None,
            resolved_value: content.resolved.get(name).map(hide),
        }
    };
    content.parameters.iter().map(shape).collect()
}

#[derive(Wire)]
pub(crate) struct OutputShape {
    output_key: OutputKey,
    output_value: String,
    description: Option<String>,
    export_name: Option<ExportName>,
}

/// Drift is never detected.
#[derive(Wire)]
pub(crate) struct Drift {
    stack_drift_status: StackDriftStatus,
}

pub(crate) fn drift() -> Drift {
    Drift { stack_drift_status: StackDriftStatus::NotChecked }
}

#[derive(Wire)]
pub(crate) struct ResourceDrift {
    stack_resource_drift_status: StackResourceDriftStatus,
}

pub(crate) fn resource_drift() -> ResourceDrift {
    ResourceDrift { stack_resource_drift_status: StackResourceDriftStatus::NotChecked }
}

#[derive(Wire)]
pub(crate) struct StackShape {
    pub(crate) stack_id: StackArn,
    stack_name: StackName,
    change_set_id: Option<ChangeSetArn>,
    description: Option<String>,
    parameters: Vec<ParameterShape>,
    creation_time: Timestamp,
    deletion_time: Option<Timestamp>,
    last_updated_time: Option<Timestamp>,
    rollback_configuration: escale_base::wire::Value,
    stack_status: StackStatus,
    stack_status_reason: Option<String>,
    disable_rollback: bool,
    #[wire("NotificationARNs")]
    notification_arns: Vec<String>,
    timeout_in_minutes: Option<u32>,
    capabilities: Vec<Capability>,
    outputs: Vec<OutputShape>,
    tags: Vec<Tag>,
    enable_termination_protection: bool,
    #[wire("RoleARN")]
    role_arn: Option<ServiceRoleArn>,
    drift_information: Drift,
    retain_except_on_create: Option<bool>,
}

pub(crate) fn stack(row: &Stack, content: &Content) -> StackShape {
    let outputs = row.outputs.iter().map(|o| OutputShape {
        output_key: o.key.clone(),
        output_value: o.value.clone(),
        description: o.description.clone(),
        export_name: o.export.clone(),
    });
    StackShape {
        stack_id: row.arn.clone(),
        stack_name: row.name.clone(),
        change_set_id: row.change_set.clone(),
        description: content.description.clone(),
        parameters: parameters(content),
        creation_time: row.created,
        deletion_time: row.deleted,
        last_updated_time: row.executed,
        rollback_configuration: serde_json::json!({}),
        stack_status: status::stack(row.phase),
        stack_status_reason: row.reason.clone(),
        disable_rollback: row.on_failure == OnFailure::DoNothing,
        notification_arns: Vec::new(),
        timeout_in_minutes: row.timeout_minutes,
        capabilities: content.capabilities.clone(),
        outputs: outputs.collect(),
        tags: content.tags.clone(),
        enable_termination_protection: row.termination_protection,
        role_arn: row.role.clone(),
        drift_information: drift(),
        retain_except_on_create: row.retain_except_on_create.then_some(true),
    }
}

#[derive(Wire)]
pub(crate) struct ParameterConstraints {
    allowed_values: Vec<String>,
}

#[derive(Wire)]
pub(crate) struct ParameterDeclaration {
    parameter_key: String,
    default_value: Option<String>,
    parameter_type: String,
    no_echo: bool,
    description: Option<String>,
    parameter_constraints: ParameterConstraints,
}

pub(crate) fn declarations(template: &Template) -> Vec<ParameterDeclaration> {
    let shape = |(name, p): (&String, &Parameter)| ParameterDeclaration {
        parameter_key: name.clone(),
        default_value: p.default.clone(),
        parameter_type: p.type_name.clone(),
        no_echo: p.no_echo,
        description: p.description.clone(),
        parameter_constraints: ParameterConstraints {
            allowed_values: p.allowed_values().unwrap_or_default().to_vec(),
        },
    };
    template.parameters.iter().map(shape).collect()
}

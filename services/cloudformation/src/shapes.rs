//! Response shapes that several operations share.

use crate::{
    choices::{StackDriftStatus, StackResourceDriftStatus, StackStatus},
    drift, nested, status,
    template::{Parameter, Template},
};
use escale_base::{Tag, Timestamp, Wire};
use escale_store::Image;
use escale_tables::cloudformation::{
    Capability, ChangeSetArn, Content, DifferenceType, ExportName, Finding, LogicalId, OnFailure, OutputKey,
    ParameterKey, PhysicalId, PropertyDifference, PropertyPath, ServiceRoleArn, Stack, StackArn, StackName,
    StackResource, TypeName,
};
use serde_json::{Map, Value};
use std::sync::Arc;

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

#[derive(Wire)]
pub(crate) struct Drift {
    stack_drift_status: StackDriftStatus,
    last_check_timestamp: Option<Timestamp>,
}

pub(crate) fn drift(image: &Image, stack: &Stack) -> Drift {
    let (stack_drift_status, last_check_timestamp) = drift::stack_status(image, &stack.uuid);
    Drift { stack_drift_status, last_check_timestamp }
}

#[derive(Wire)]
pub(crate) struct ResourceDrift {
    stack_resource_drift_status: StackResourceDriftStatus,
    last_check_timestamp: Option<Timestamp>,
}

pub(crate) fn resource_drift(image: &Image, row: &StackResource) -> ResourceDrift {
    let drift = drift::of(image, row);
    let not_checked = StackResourceDriftStatus::NotChecked;
    ResourceDrift {
        stack_resource_drift_status: drift.as_ref().map_or(not_checked, |d| drift::resource_status(d)),
        last_check_timestamp: drift.map(|drift| drift.at),
    }
}

#[derive(Wire)]
pub(crate) struct PropertyDifferenceShape {
    property_path: PropertyPath,
    expected_value: String,
    actual_value: String,
    difference_type: DifferenceType,
}

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackResourceDrift.html>
#[derive(Wire)]
pub(crate) struct StackResourceDrift {
    stack_id: StackArn,
    logical_resource_id: LogicalId,
    physical_resource_id: PhysicalId,
    resource_type: TypeName,
    expected_properties: Option<String>,
    actual_properties: Option<String>,
    property_differences: Vec<PropertyDifferenceShape>,
    stack_resource_drift_status: StackResourceDriftStatus,
    timestamp: Timestamp,
    drift_status_reason: Option<String>,
}

pub(crate) fn stack_resource_drift(
    stack: &Stack,
    row: &escale_tables::cloudformation::ResourceDrift,
) -> StackResourceDrift {
    let json = |properties: &Map<String, Value>| Some(Value::Object(properties.clone()).to_string());
    let (expected, actual, differences, reason) = match &row.finding {
        Finding::Compared { expected, actual, differences } => {
            (json(expected), json(actual), differences.as_slice(), None)
        }
        Finding::Deleted { expected } => (json(expected), None, [].as_slice(), None),
        Finding::Unreadable(why) => (None, None, [].as_slice(), Some(why.clone())),
    };
    let difference = |d: &PropertyDifference| PropertyDifferenceShape {
        property_path: d.path.clone(),
        expected_value: drift::text(&d.expected),
        actual_value: drift::text(&d.actual),
        difference_type: d.kind,
    };
    StackResourceDrift {
        stack_id: stack.arn.clone(),
        logical_resource_id: row.logical_id.clone(),
        physical_resource_id: row.physical_id.clone(),
        resource_type: row.type_name.clone(),
        expected_properties: expected,
        actual_properties: actual,
        property_differences: differences.iter().map(difference).collect(),
        stack_resource_drift_status: drift::resource_status(row),
        timestamp: row.at,
        drift_status_reason: reason,
    }
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
    parent_id: Option<StackArn>,
    root_id: Option<StackArn>,
}

pub(crate) fn stack(image: &Image, row: &Arc<Stack>, content: &Content) -> StackShape {
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
        enable_termination_protection: nested::root(image, row).termination_protection,
        role_arn: row.role.clone(),
        drift_information: drift(image, row),
        retain_except_on_create: row.retain_except_on_create.then_some(true),
        parent_id: row.nested.as_ref().map(|nested| nested.parent.clone()),
        root_id: row.nested.as_ref().map(|nested| nested.root.clone()),
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

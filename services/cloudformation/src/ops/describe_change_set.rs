//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeChangeSet.html>

use crate::choices::{ChangeAction, ChangeSetStatus, ChangeType, ExecutionStatus, ResourceAttribute};
use crate::{
    Error, find, scope, shapes, status,
    template::{
        self, EvaluateError, Origin, Scope,
        expression::{Expression, Form},
    },
};
use escale_base::{Tag, Timestamp, Wire};
use escale_service::{Cx, Operation};
use escale_tables::cloudformation::{
    Capability, ChangeSetArn, ChangeSetName, LogicalId, StackArn, StackName, TypeName,
};
use escale_tables::cloudformation::{ChangeSet, ChangeSetPhase, OnFailure, Planned, Stack};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// AWS's placeholder for a property that depends on a resource that does not exist yet.
const LATER: &str = "{{changeSet:KNOWN_AFTER_APPLY}}";
/// The mask of a secret value.
const HIDDEN: &str = "****";

pub(crate) struct DescribeChangeSet;

#[derive(Wire)]
pub(crate) struct Input {
    change_set_name: String,
    stack_name: Option<String>,
    next_token: Option<String>,
    include_property_values: Option<bool>,
}

#[derive(Wire)]
pub(crate) struct Output {
    change_set_name: ChangeSetName,
    change_set_id: ChangeSetArn,
    stack_id: StackArn,
    stack_name: StackName,
    description: Option<String>,
    parameters: Vec<shapes::ParameterShape>,
    creation_time: Timestamp,
    execution_status: ExecutionStatus,
    status: ChangeSetStatus,
    status_reason: Option<String>,
    #[wire("NotificationARNs")]
    notification_arns: Vec<String>,
    rollback_configuration: escale_base::wire::Value,
    capabilities: Vec<Capability>,
    tags: Vec<Tag>,
    changes: Vec<Change>,
    include_nested_stacks: bool,
    on_stack_failure: Option<OnFailure>,
}

#[derive(Wire)]
pub(crate) struct Change {
    #[wire("Type")]
    kind: ChangeType,
    resource_change: ResourceChange,
}

#[derive(Wire)]
pub(crate) struct ResourceChange {
    action: ChangeAction,
    logical_resource_id: LogicalId,
    resource_type: TypeName,
    scope: Vec<ResourceAttribute>,
    details: Vec<escale_base::wire::Value>,
    /// The resource after the change, as a JSON text.
    after_context: Option<String>,
}

impl Operation for DescribeChangeSet {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        input.stack_name.as_deref().map(|name| super::stack_arns(cx, name)).unwrap_or_default()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        // One page holds all changes: a template has at most 500 resources.
        super::only_page(input.next_token.as_deref())?;
        let (stack, row) = find::change_set(cx.tx, &input.change_set_name, input.stack_name.as_deref())?;
        let after = match input.include_property_values {
            Some(true) => properties(cx, &stack, &row)?,
            _ => BTreeMap::new(),
        };
        Ok(output(&stack, &row, &after))
    }
}

/// The properties of every resource, as far as they are known before any resource exists.
fn properties(cx: &Cx<'_>, stack: &Stack, row: &ChangeSet) -> Result<BTreeMap<LogicalId, Value>, Error> {
    // With the larger size limit: the size was checked when the template arrived.
    let parsed = template::parse(&row.content.template, Origin::File)?;
    let bound = scope::bound(&parsed, &row.content)?;
    // Values are computed twice, with the real parameters and with masked ones, so that no secret reaches the response.
    let mut shown = bound.values.clone();
    shown.extend(row.content.hidden.iter().map(|name| (name.to_string(), HIDDEN.into())));
    let environment = scope::StackEnvironment::new(cx.tx, cx.config, Some(&stack.uuid));
    let pseudo = scope::pseudo(cx.config, &stack.arn, &stack.name);
    let scope = Scope::new(&parsed, &bound.values, &pseudo, &environment)?;
    let shown = scope.showing(&shown);
    let mut all = BTreeMap::new();
    for planned in &row.content.resources {
        let Some(resource) = parsed.resources.get(planned.logical_id.as_str()) else { continue };
        let Form::Map(entries) = &resource.properties.form else { continue };
        let mut known = Map::new();
        for (name, expression) in entries {
            known.extend(known_now(&scope, &shown, expression)?.map(|value| (name.clone(), value)));
        }
        all.insert(planned.logical_id.clone(), known.into());
    }
    Ok(all)
}

/// The value of a property after the change, or its placeholder; `None` leaves it out.
fn known_now(
    scope: &Scope<'_>,
    shown: &Scope<'_>,
    expression: &Expression,
) -> Result<Option<Value>, EvaluateError> {
    let value = match scope.value(expression) {
        Err(EvaluateError::NotYet { .. }) => return Ok(Some(LATER.into())),
        value => value?,
    };
    // The evaluation fails with the mask if the value depends on the secret, for example as the key of a mapping. Mask all of it.
    Ok(value.map(|_| shown.value(expression).ok().flatten().unwrap_or_else(|| HIDDEN.into())))
}

fn output(stack: &Stack, row: &ChangeSet, after: &BTreeMap<LogicalId, Value>) -> Output {
    let (status, execution_status) = status::change_set(row);
    let (status_reason, planned): (_, &[Planned]) = match &row.phase {
        ChangeSetPhase::Failed(why) => (Some(why.clone()), &[]),
        _ => (None, &row.content.resources),
    };
    Output {
        change_set_name: row.name.clone(),
        change_set_id: row.arn.clone(),
        stack_id: stack.arn.clone(),
        stack_name: stack.name.clone(),
        description: row.description.clone(),
        parameters: shapes::parameters(&row.content),
        creation_time: row.created,
        execution_status,
        status,
        status_reason,
        notification_arns: Vec::new(),
        rollback_configuration: json!({}),
        capabilities: row.content.capabilities.clone(),
        tags: row.content.tags.clone(),
        changes: planned.iter().map(|p| added(p, after.get(&p.logical_id))).collect(),
        include_nested_stacks: row.include_nested_stacks,
        on_stack_failure: row.on_failure,
    }
}

fn added(planned: &Planned, properties: Option<&Value>) -> Change {
    Change {
        kind: ChangeType::Resource,
        resource_change: ResourceChange {
            action: ChangeAction::Add,
            logical_resource_id: planned.logical_id.clone(),
            resource_type: planned.type_name.clone(),
            scope: Vec::new(),
            details: Vec::new(),
            after_context: properties.map(|p| json!({ "Properties": p }).to_string()),
        },
    }
}

//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeChangeSet.html>

use crate::{Error, find, shapes, status};
use escale_base::{Tag, Timestamp, Wire};
use escale_service::{Cx, Operation};
use escale_tables::cloudformation::{ChangeSet, ChangeSetPhase, OnFailure, Planned, Stack};

pub(crate) struct DescribeChangeSet;

#[derive(Wire)]
pub(crate) struct Input {
    change_set_name: String,
    stack_name: Option<String>,
    #[allow(dead_code)] // one page holds all changes: a template has at most 500 resources
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    change_set_name: String,
    change_set_id: String,
    stack_id: String,
    stack_name: String,
    description: Option<String>,
    parameters: Vec<shapes::ParameterShape>,
    creation_time: Timestamp,
    execution_status: &'static str,
    status: &'static str,
    status_reason: Option<String>,
    #[wire("NotificationARNs")]
    notification_arns: Vec<String>,
    rollback_configuration: escale_base::wire::Value,
    capabilities: Vec<String>,
    tags: Vec<Tag>,
    changes: Vec<Change>,
    include_nested_stacks: bool,
    on_stack_failure: Option<&'static str>,
}

#[derive(Wire)]
pub(crate) struct Change {
    #[wire("Type")]
    kind: &'static str,
    resource_change: ResourceChange,
}

#[derive(Wire)]
pub(crate) struct ResourceChange {
    action: &'static str,
    logical_resource_id: String,
    resource_type: String,
    scope: Vec<String>,
    details: Vec<escale_base::wire::Value>,
}

impl Operation for DescribeChangeSet {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        input.stack_name.as_deref().map(|name| super::stack_arns(cx, name)).unwrap_or_default()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let (stack, row) = find::change_set(cx.tx, &input.change_set_name, input.stack_name.as_deref())?;
        Ok(output(&stack, &row))
    }
}

fn output(stack: &Stack, row: &ChangeSet) -> Output {
    let (status, execution_status) = status::change_set(row);
    let (status_reason, planned): (_, &[Planned]) = match &row.phase {
        ChangeSetPhase::Failed(why) => (Some(why.clone()), &[]),
        _ => (None, &row.content.resources),
    };
    let on_stack_failure = row.on_failure.map(|on| match on {
        OnFailure::Rollback => "ROLLBACK",
        OnFailure::Delete => "DELETE",
        OnFailure::DoNothing => "DO_NOTHING",
    });
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
        rollback_configuration: serde_json::json!({}),
        capabilities: row.content.capabilities.clone(),
        tags: row.content.tags.clone(),
        changes: planned.iter().map(added).collect(),
        include_nested_stacks: row.include_nested_stacks,
        on_stack_failure,
    }
}

fn added(planned: &Planned) -> Change {
    Change {
        kind: "Resource",
        resource_change: ResourceChange {
            action: "Add",
            logical_resource_id: planned.logical_id.clone(),
            resource_type: planned.type_name.clone(),
            scope: Vec::new(),
            details: Vec::new(),
        },
    }
}

//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeChangeSet.html>

use crate::{
    Error, changes,
    choices::{ChangeSetStatus, ExecutionStatus},
    find, shapes, status,
};
use escale_base::{Tag, Timestamp, Wire};
use escale_service::{Cx, Operation};
use escale_tables::cloudformation::{
    Capability, ChangeSet, ChangeSetArn, ChangeSetName, ChangeSetPhase, OnFailure, Stack, StackArn, StackName,
};
use serde_json::{Value, json};

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
    changes: Vec<Value>,
    include_nested_stacks: bool,
    parent_change_set_id: Option<ChangeSetArn>,
    root_change_set_id: Option<ChangeSetArn>,
    on_stack_failure: Option<OnFailure>,
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
        Ok(output(&stack, &row, input.include_property_values == Some(true)))
    }
}

fn output(stack: &Stack, row: &ChangeSet, with_values: bool) -> Output {
    let (status, execution_status) = status::change_set(row);
    let status_reason = match &row.phase {
        ChangeSetPhase::Failed(why) => Some(why.clone()),
        _ => None,
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
        changes: changes::shown(&row.changes, with_values),
        include_nested_stacks: row.include_nested_stacks,
        parent_change_set_id: row.above.as_ref().map(|above| above.parent.clone()),
        root_change_set_id: row.above.as_ref().map(|above| above.root.clone()),
        on_stack_failure: row.on_failure,
    }
}

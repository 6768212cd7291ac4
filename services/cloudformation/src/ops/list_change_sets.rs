//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListChangeSets.html>

use crate::choices::{ChangeSetStatus, ExecutionStatus};
use crate::{Error, find, status};
use escale_base::{Timestamp, Wire, limits, paging};
use escale_service::{Cx, Operation};
use escale_tables::cloudformation::{
    ChangeSet, ChangeSetArn, ChangeSetName, ChangeSetPhase, Stack, StackArn, StackName,
};

pub(crate) struct ListChangeSets;

#[derive(Wire)]
pub(crate) struct Input {
    stack_name: String,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    summaries: Vec<Summary>,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Summary {
    stack_id: StackArn,
    stack_name: StackName,
    change_set_id: ChangeSetArn,
    change_set_name: ChangeSetName,
    execution_status: ExecutionStatus,
    status: ChangeSetStatus,
    status_reason: Option<String>,
    creation_time: Timestamp,
    description: Option<String>,
    include_nested_stacks: bool,
    parent_change_set_id: Option<ChangeSetArn>,
    root_change_set_id: Option<ChangeSetArn>,
}

impl Operation for ListChangeSets {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        super::stack_arns(cx, &input.stack_name)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let stack = find::stack(cx.tx, &input.stack_name)?;
        let below = format!("{}/", stack.uuid);
        let open = cx.tx.prefix::<ChangeSet>(&below).filter(|c| c.phase != ChangeSetPhase::Executed);
        let all = open.map(|c| summary(&stack, &c));
        let key = |s: &Summary| s.change_set_name.to_string();
        let page = paging::page(all, key, input.next_token.as_deref(), limits::PAGE_DEFAULT)?;
        Ok(Output { summaries: page.items, next_token: page.next })
    }
}

fn summary(stack: &Stack, row: &ChangeSet) -> Summary {
    let (status, execution_status) = status::change_set(row);
    let status_reason = match &row.phase {
        ChangeSetPhase::Failed(why) => Some(why.clone()),
        _ => None,
    };
    Summary {
        stack_id: stack.arn.clone(),
        stack_name: stack.name.clone(),
        change_set_id: row.arn.clone(),
        change_set_name: row.name.clone(),
        execution_status,
        status,
        status_reason,
        creation_time: row.created,
        description: row.description.clone(),
        include_nested_stacks: row.include_nested_stacks,
        parent_change_set_id: row.above.as_ref().map(|above| above.parent.clone()),
        root_change_set_id: row.above.as_ref().map(|above| above.root.clone()),
    }
}

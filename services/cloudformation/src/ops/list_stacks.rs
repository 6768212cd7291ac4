//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStacks.html>

use crate::choices::StackStatus;
use crate::{Error, find, shapes, status};
use escale_base::{Timestamp, Wire, limits, paging};
use escale_service::{Cx, Operation};
use escale_tables::cloudformation::{Stack, StackArn, StackName};

pub(crate) struct ListStacks;

#[derive(Wire)]
pub(crate) struct Input {
    next_token: Option<String>,
    stack_status_filter: Vec<StackStatus>,
}

#[derive(Wire)]
pub(crate) struct Output {
    stack_summaries: Vec<Summary>,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Summary {
    stack_id: StackArn,
    stack_name: StackName,
    template_description: Option<String>,
    creation_time: Timestamp,
    last_updated_time: Option<Timestamp>,
    deletion_time: Option<Timestamp>,
    stack_status: StackStatus,
    stack_status_reason: Option<String>,
    drift_information: shapes::Drift,
    parent_id: Option<StackArn>,
    root_id: Option<StackArn>,
}

impl Operation for ListStacks {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let wanted = |s: &Stack| {
            let filter = &input.stack_status_filter;
            filter.is_empty() || filter.contains(&status::stack(s.phase))
        };
        let there = cx.tx.scan::<Stack>().filter(|s| wanted(s));
        let page =
            paging::page(there, |s| s.uuid.to_string(), input.next_token.as_deref(), limits::PAGE_DEFAULT)?;
        let stack_summaries = page.items.iter().map(|s| summary(cx, s)).collect::<Result<_, _>>()?;
        Ok(Output { stack_summaries, next_token: page.next })
    }
}

fn summary(cx: &Cx<'_>, row: &Stack) -> Result<Summary, Error> {
    Ok(Summary {
        stack_id: row.arn.clone(),
        stack_name: row.name.clone(),
        template_description: find::content(cx.tx, row)?.content.description.clone(),
        creation_time: row.created,
        last_updated_time: row.executed,
        deletion_time: row.deleted,
        stack_status: status::stack(row.phase),
        stack_status_reason: row.reason.clone(),
        drift_information: shapes::drift(cx.tx, row),
        parent_id: row.nested.as_ref().map(|nested| nested.parent.clone()),
        root_id: row.nested.as_ref().map(|nested| nested.root.clone()),
    })
}

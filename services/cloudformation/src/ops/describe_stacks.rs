//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html>

use crate::{Error, find, shapes};
use escale_base::{Wire, limits, paging};
use escale_service::{Also, Cx, Operation};
use escale_tables::cloudformation::{Phase, Stack};
use std::sync::Arc;

pub(crate) struct DescribeStacks;

#[derive(Wire)]
pub(crate) struct Input {
    stack_name: Option<String>,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    stacks: Vec<shapes::StackShape>,
    next_token: Option<String>,
}

impl Operation for DescribeStacks {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        input.stack_name.as_deref().map(|name| super::stack_arns(cx, name)).unwrap_or_default()
    }

    /// A request without a name lists all stacks, for which AWS also checks this action.
    fn also(input: &Input, _cx: &Cx<'_>) -> Vec<Also> {
        match input.stack_name {
            Some(_) => Vec::new(),
            None => vec![Also::new("cloudformation:ListStacks", [])],
        }
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        if let Some(named) = &input.stack_name {
            let row = find::stack(cx.tx, named)?;
            return Ok(Output { stacks: vec![shape(cx, &row)?], next_token: None });
        }
        let there = cx.tx.scan::<Stack>().filter(|s| s.phase != Phase::Deleted);
        let page =
            paging::page(there, |s| s.uuid.to_string(), input.next_token.as_deref(), limits::PAGE_DEFAULT)?;
        let stacks = page.items.iter().map(|s| shape(cx, s)).collect::<Result<_, _>>()?;
        Ok(Output { stacks, next_token: page.next })
    }
}

fn shape(cx: &Cx<'_>, row: &Arc<Stack>) -> Result<shapes::StackShape, Error> {
    Ok(shapes::stack(cx.tx, row, &find::content(cx.tx, row)?.content))
}

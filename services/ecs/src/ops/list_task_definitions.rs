//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTaskDefinitions.html>

use crate::{
    Error,
    choices::{SortOrder, TaskDefinitionStatus},
    rules,
};
use escale_base::Wire;
use escale_base::{limits, paging};
use escale_service::{Cx, Operation};
use escale_tables::ecs::TaskDefinition;
use std::sync::Arc;

pub(crate) struct ListTaskDefinitions;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    family_prefix: Option<String>,
    status: Option<TaskDefinitionStatus>,
    sort: Option<SortOrder>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    task_definition_arns: Vec<String>,
    next_token: Option<String>,
}

impl Operation for ListTaskDefinitions {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let status = input.status.unwrap_or(TaskDefinitionStatus::Active);
        let wanted = |d: &Arc<TaskDefinition>| {
            let named = input.family_prefix.as_ref().is_none_or(|f| *f == d.family);
            named && crate::shapes::definition_status(d) == status
        };
        let mut found: Vec<Arc<TaskDefinition>> = cx.tx.scan::<TaskDefinition>().filter(wanted).collect();
        if input.sort == Some(SortOrder::Desc) {
            found.reverse();
        }
        // The list may be in descending order, so the position is the key of a page.
        let numbered = found.iter().enumerate();
        let size = input.max_results.unwrap_or(limits::PAGE_DEFAULT);
        let page = paging::page(numbered, |(i, _)| format!("{i:010}"), input.next_token.as_deref(), size)?;
        let arn =
            |(_, d): &(usize, &Arc<TaskDefinition>)| rules::definition_arn(cx.config, &d.family, d.revision);
        Ok(Output { task_definition_arns: page.items.iter().map(arn).collect(), next_token: page.next })
    }
}

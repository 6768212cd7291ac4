//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResourceDrifts.html>

use crate::{Error, choices::StackResourceDriftStatus, drift, find, shapes};
use escale_base::{Wire, limits, paging};
use escale_service::{Cx, Operation};
use escale_tables::cloudformation::ResourceDrift;
use std::sync::Arc;

pub(crate) struct DescribeStackResourceDrifts;

#[derive(Wire)]
pub(crate) struct Input {
    stack_name: String,
    stack_resource_drift_status_filters: Vec<StackResourceDriftStatus>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Wire)]
pub(crate) struct Output {
    stack_resource_drifts: Vec<shapes::StackResourceDrift>,
    next_token: Option<String>,
}

impl Operation for DescribeStackResourceDrifts {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        super::stack_arns(cx, &input.stack_name)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let size = input.max_results.unwrap_or(limits::PAGE_DEFAULT);
        if !(1..=limits::PAGE_DEFAULT).contains(&size) {
            return Err(Error::invalid(format!(
                "1 validation error detected: Value '{size}' at 'maxResults' failed to satisfy constraint: Member must have \
                 value between 1 and {}",
                limits::PAGE_DEFAULT
            )));
        }
        let stack = find::stack(cx.tx, &input.stack_name)?;
        let filters = &input.stack_resource_drift_status_filters;
        let mut results: Vec<Arc<ResourceDrift>> =
            drift::existing(cx.tx, &stack.uuid).filter_map(|row| drift::of(cx.tx, &row)).collect();
        results.retain(|drift| filters.is_empty() || filters.contains(&drift::resource_status(drift)));
        results.sort_by(|one, other| one.logical_id.cmp(&other.logical_id));
        let key = |drift: &Arc<ResourceDrift>| drift.logical_id.to_string();
        let page = paging::page(results, key, input.next_token.as_deref(), size)?;
        let shape = |drift: &Arc<ResourceDrift>| shapes::stack_resource_drift(&stack, drift);
        Ok(Output { stack_resource_drifts: page.items.iter().map(shape).collect(), next_token: page.next })
    }
}

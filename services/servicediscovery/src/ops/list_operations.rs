//! <https://docs.aws.amazon.com/cloud-map/latest/api/API_ListOperations.html>

use crate::{
    Error,
    choices::{FilterCondition, OperationFilterName, OperationStatus},
    filters, status,
};
use escale_base::{Wire, limits, paging};
use escale_service::{Cx, Operation};
use escale_tables::servicediscovery::{self as tables, OperationId};
use std::sync::Arc;

pub(crate) struct ListOperations;

#[derive(Wire)]
pub(crate) struct Filter {
    name: OperationFilterName,
    values: Vec<String>,
    condition: Option<FilterCondition>,
}

#[derive(Wire)]
pub(crate) struct Input {
    next_token: Option<String>,
    max_results: Option<usize>,
    filters: Vec<Filter>,
}

#[derive(Wire)]
pub(crate) struct Output {
    operations: Vec<Summary>,
    next_token: Option<String>,
}

#[derive(Wire)]
struct Summary {
    id: OperationId,
    status: OperationStatus,
}

impl Operation for ListOperations {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut found: Vec<Arc<tables::Operation>> = Vec::new();
        for row in cx.tx.scan::<tables::Operation>() {
            if passes(cx, &row, &input.filters)? {
                found.push(row);
            }
        }
        let size = input.max_results.unwrap_or(limits::PAGE_DEFAULT);
        let page = paging::page(found, |row| row.id.to_string(), input.next_token.as_deref(), size)?;
        let summary = |row: &Arc<tables::Operation>| Summary {
            id: row.id.clone(),
            status: status::operation(cx.tx, row),
        };
        Ok(Output { operations: page.items.iter().map(summary).collect(), next_token: page.next })
    }
}

fn passes(cx: &Cx<'_>, row: &tables::Operation, filters: &[Filter]) -> Result<bool, Error> {
    for filter in filters {
        let passes = |value: &str| filters::passes(filter.name, value, filter.condition, &filter.values);
        let is_passed = match filter.name {
            OperationFilterName::NamespaceId => passes(row.target.namespace())?,
            OperationFilterName::ServiceId => passes(row.target.service().map_or("", |id| id.as_str()))?,
            OperationFilterName::Status => passes(status::operation(cx.tx, row).as_str())?,
            OperationFilterName::Type => passes(row.kind.as_str())?,
            OperationFilterName::UpdateDate => {
                let secs = row.created.0 / 1000;
                filters::is_between(filter.name, secs, filter.condition, &filter.values)?
            }
        };
        if !is_passed {
            return Ok(false);
        }
    }
    Ok(true)
}

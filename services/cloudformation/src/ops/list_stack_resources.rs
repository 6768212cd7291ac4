//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStackResources.html>

use crate::{Error, find, shapes, status};
use escale_base::{Timestamp, Wire, limits, paging};
use escale_service::{Cx, Operation};
use escale_store::Image;
use escale_tables::cloudformation::StackResource;
use escale_tables::cloudformation::{LogicalId, PhysicalId, ResourceStatus, TypeName};

pub(crate) struct ListStackResources;

#[derive(Wire)]
pub(crate) struct Input {
    stack_name: String,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    stack_resource_summaries: Vec<Summary>,
    next_token: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Summary {
    logical_resource_id: LogicalId,
    physical_resource_id: Option<PhysicalId>,
    resource_type: TypeName,
    last_updated_timestamp: Timestamp,
    resource_status: ResourceStatus,
    resource_status_reason: Option<String>,
    drift_information: shapes::ResourceDrift,
}

impl Operation for ListStackResources {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        super::stack_arns(cx, &input.stack_name)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let stack = find::stack(cx.tx, &input.stack_name)?;
        let mut rows = find::listed(cx.tx, &stack.uuid);
        rows.sort_by(|a, b| a.logical_id.cmp(&b.logical_id));
        let rows = rows.iter().filter_map(|r| summary(cx.tx, r));
        let key = |s: &Summary| s.logical_resource_id.to_string();
        let page = paging::page(rows, key, input.next_token.as_deref(), limits::PAGE_DEFAULT)?;
        Ok(Output { stack_resource_summaries: page.items, next_token: page.next })
    }
}

fn summary(image: &Image, row: &StackResource) -> Option<Summary> {
    Some(Summary {
        logical_resource_id: row.logical_id.clone(),
        physical_resource_id: row.physical_id.clone(),
        resource_type: row.type_name.clone(),
        last_updated_timestamp: row.since,
        resource_status: status::resource(row.state)?,
        resource_status_reason: status::why(row),
        drift_information: shapes::resource_drift(image, row),
    })
}

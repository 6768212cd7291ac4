//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResource.html>

use crate::{Error, find, shapes, status, template};
use escale_base::{Timestamp, Wire};
use escale_service::{Cx, Operation};
use escale_tables::cloudformation::Content;
use escale_tables::cloudformation::{LogicalId, PhysicalId, ResourceStatus, StackArn, StackName, TypeName};

pub(crate) struct DescribeStackResource;

#[derive(Wire)]
pub(crate) struct Input {
    stack_name: String,
    logical_resource_id: LogicalId,
}

#[derive(Wire)]
pub(crate) struct Output {
    stack_resource_detail: Detail,
}

#[derive(Wire)]
pub(crate) struct Detail {
    stack_name: StackName,
    stack_id: StackArn,
    logical_resource_id: LogicalId,
    physical_resource_id: Option<PhysicalId>,
    resource_type: TypeName,
    last_updated_timestamp: Timestamp,
    resource_status: ResourceStatus,
    resource_status_reason: Option<String>,
    metadata: String,
    drift_information: shapes::ResourceDrift,
}

impl Operation for DescribeStackResource {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        super::stack_arns(cx, &input.stack_name)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let stack = find::stack(cx.tx, &input.stack_name)?;
        let rows = find::listed(cx.tx, &stack.uuid);
        let row = rows.into_iter().find(|row| row.logical_id == input.logical_resource_id);
        let found = row.and_then(|row| Some((status::resource(row.state)?, row)));
        let (resource_status, row) = found.ok_or_else(|| {
            Error::invalid(format!(
                "Resource {} does not exist for stack {}",
                input.logical_resource_id, input.stack_name
            ))
        })?;
        let stack_resource_detail = Detail {
            stack_name: stack.name.clone(),
            stack_id: stack.arn.clone(),
            logical_resource_id: row.logical_id.clone(),
            physical_resource_id: row.physical_id.clone(),
            resource_type: row.type_name.clone(),
            last_updated_timestamp: row.since,
            resource_status,
            resource_status_reason: status::why(&row),
            metadata: metadata(&find::content(cx.tx, &stack)?.content, &row.logical_id)?,
            drift_information: shapes::resource_drift(cx.tx, &row),
        };
        Ok(Output { stack_resource_detail })
    }
}

/// The resource's Metadata from the template, as JSON.
fn metadata(content: &Content, logical: &LogicalId) -> Result<String, Error> {
    let tree = template::tree(&content.template)?;
    let of = tree.get("Resources").and_then(|r| r.get(logical)).and_then(|r| r.get("Metadata"));
    Ok(of.map_or_else(|| "{}".to_owned(), |node| node.value().to_string()))
}

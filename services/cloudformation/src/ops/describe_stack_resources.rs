//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackResources.html>

use crate::{Error, find, shapes, status};
use escale_base::{Timestamp, Wire};
use escale_service::{Cx, Operation};
use escale_store::Image;
use escale_tables::cloudformation::{LogicalId, PhysicalId, ResourceStatus, StackArn, StackName, TypeName};
use escale_tables::cloudformation::{Stack, StackResource};

pub(crate) struct DescribeStackResources;

#[derive(Wire)]
pub(crate) struct Input {
    stack_name: Option<String>,
    logical_resource_id: Option<String>,
    physical_resource_id: Option<PhysicalId>,
}

#[derive(Wire)]
pub(crate) struct Output {
    stack_resources: Vec<Shape>,
}

#[derive(Wire)]
pub(crate) struct Shape {
    stack_name: StackName,
    stack_id: StackArn,
    logical_resource_id: LogicalId,
    physical_resource_id: Option<PhysicalId>,
    resource_type: TypeName,
    timestamp: Timestamp,
    resource_status: ResourceStatus,
    resource_status_reason: Option<String>,
    drift_information: shapes::ResourceDrift,
}

impl Operation for DescribeStackResources {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        input.stack_name.as_deref().map(|name| super::stack_arns(cx, name)).unwrap_or_default()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let stack = match (&input.stack_name, &input.physical_resource_id) {
            (Some(named), None) => find::stack(cx.tx, named)?,
            (None, Some(physical)) => owner(cx, physical)?,
            (Some(_), Some(_)) => {
                return Err(Error::invalid(
                    "Only one of StackName and PhysicalResourceId can be specified, not both",
                ));
            }
            (None, None) => {
                return Err(Error::invalid("Either StackName or PhysicalResourceId must be specified"));
            }
        };
        let wanted =
            |r: &StackResource| input.logical_resource_id.as_ref().is_none_or(|l| *l == r.logical_id);
        let rows = find::listed(cx.tx, &stack.uuid);
        let stack_resources =
            rows.iter().filter(|r| wanted(r)).filter_map(|r| shape(cx.tx, &stack, r)).collect();
        Ok(Output { stack_resources })
    }
}

fn owner(cx: &Cx<'_>, physical: &PhysicalId) -> Result<std::sync::Arc<Stack>, Error> {
    let row = cx.tx.scan::<StackResource>().find(|r| r.physical_id.as_ref() == Some(physical));
    row.and_then(|r| cx.tx.get::<Stack>(&r.stack))
        .ok_or_else(|| Error::invalid(format!("Stack for {physical} does not exist")))
}

fn shape(image: &Image, stack: &Stack, row: &StackResource) -> Option<Shape> {
    Some(Shape {
        stack_name: stack.name.clone(),
        stack_id: stack.arn.clone(),
        logical_resource_id: row.logical_id.clone(),
        physical_resource_id: row.physical_id.clone(),
        resource_type: row.type_name.clone(),
        timestamp: row.since,
        resource_status: status::resource(row.state)?,
        resource_status_reason: status::why(row),
        drift_information: shapes::resource_drift(image, row),
    })
}

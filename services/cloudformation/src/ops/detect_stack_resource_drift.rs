//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DetectStackResourceDrift.html>

use crate::{Error, drift, find, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudformation::{Finding, LogicalId};

pub(crate) struct DetectStackResourceDrift;

#[derive(Wire)]
pub(crate) struct Input {
    stack_name: String,
    logical_resource_id: LogicalId,
}

#[derive(Wire)]
pub(crate) struct Output {
    stack_resource_drift: shapes::StackResourceDrift,
}

impl Operation for DetectStackResourceDrift {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        super::stack_arns(cx, &input.stack_name)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let stack = find::created(cx.tx, &input.stack_name)?;
        drift::detectable(&stack)?;
        let logical = &input.logical_resource_id;
        let row = drift::existing(cx.tx, &stack.uuid).find(|row| row.logical_id == *logical);
        let row = row.ok_or_else(|| drift::no_resource(logical, &stack))?;
        let found = drift::resource(cx, &row).ok_or_else(|| {
            Error::invalid(format!("Drift detection is not supported for resource type {}", row.type_name))
        })?;
        // Unlike the detection for a stack, this one has no status of its own that could have the reason.
        if let Finding::Unreadable(why) = &found.finding {
            return Err(Error::invalid(format!("Drift of resource {logical} cannot be detected: {why}")));
        }
        Ok(Output { stack_resource_drift: shapes::stack_resource_drift(&stack, &found) })
    }
}

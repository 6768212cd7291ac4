//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DetectStackDrift.html>
//!
//! The detection is complete with its transaction, so that all resources are compared at the same moment.

use crate::{Error, drift, find};
use escale_base::Wire;
use escale_service::{Also, Cx, Operation};
use escale_tables::cloudformation::{DriftDetectionId, LogicalId};

pub(crate) struct DetectStackDrift;

#[derive(Wire)]
pub(crate) struct Input {
    stack_name: String,
    logical_resource_ids: Vec<LogicalId>,
}

#[derive(Wire)]
pub(crate) struct Output {
    stack_drift_detection_id: DriftDetectionId,
}

impl Operation for DetectStackDrift {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        super::stack_arns(cx, &input.stack_name)
    }

    /// AWS checks the permission for each resource's detection, too.
    fn also(input: &Input, cx: &Cx<'_>) -> Vec<Also> {
        vec![Also::new("cloudformation:DetectStackResourceDrift", super::stack_arns(cx, &input.stack_name))]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let stack = find::created(cx.tx, &input.stack_name)?;
        let id = drift::stack(cx, &stack, &input.logical_resource_ids)?;
        Ok(Output { stack_drift_detection_id: id })
    }
}

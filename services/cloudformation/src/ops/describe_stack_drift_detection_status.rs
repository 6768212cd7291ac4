//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackDriftDetectionStatus.html>

use crate::{
    Error,
    choices::{DetectionStatus, StackDriftStatus},
    drift,
};
use escale_base::{Timestamp, Wire};
use escale_service::{Cx, Operation};
use escale_tables::cloudformation::{DriftDetectionId, StackArn};

pub(crate) struct DescribeStackDriftDetectionStatus;

#[derive(Wire)]
pub(crate) struct Input {
    stack_drift_detection_id: DriftDetectionId,
}

#[derive(Wire)]
pub(crate) struct Output {
    stack_id: StackArn,
    stack_drift_detection_id: DriftDetectionId,
    stack_drift_status: StackDriftStatus,
    detection_status: DetectionStatus,
    detection_status_reason: Option<String>,
    drifted_stack_resource_count: u32,
    timestamp: Timestamp,
}

impl Operation for DescribeStackDriftDetectionStatus {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let (stack, detection) = drift::detection(cx.tx, &input.stack_drift_detection_id)?;
        let unreadable = &detection.unreadable;
        // As on AWS, a detection that has failed for one resource still has the results of the others.
        let (detection_status, detection_status_reason) = if unreadable.is_empty() {
            (DetectionStatus::Complete, None)
        } else {
            let why = format!("Failed to detect drift on resources [{}]", unreadable.join(", "));
            (DetectionStatus::Failed, Some(why))
        };
        Ok(Output {
            stack_id: stack.arn.clone(),
            stack_drift_detection_id: detection.id.clone(),
            stack_drift_status: drift::detection_status(&detection),
            detection_status,
            detection_status_reason,
            drifted_stack_resource_count: detection.drifted,
            timestamp: detection.at,
        })
    }
}

//! The detection of drift: compares the resources of a stack with the properties that its template gives them.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-drift.html>

mod compare;
mod pairs;
#[cfg(test)]
mod tests;

use crate::{
    Error,
    choices::{StackDriftStatus, StackResourceDriftStatus},
    evaluation, find, reconcile,
};
use compare::Comparison;
use escale_base::{AwsError, Timestamp, ids};
use escale_service::{Cx, ResourceType};
use escale_store::{Image, Tx};
use escale_tables::cloudformation::{
    DriftDetection, DriftDetectionId, Finding, LogicalId, Phase, ResourceDrift, ResourceState, Stack,
    StackResource, StackUuid,
};
use serde_json::{Map, Value};

/// The number of detections that a stack keeps.
const DETECTIONS_KEPT: usize = 20;

/// Refuses a stack whose resources may not match its template yet. AWS's states are the same:
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-drift.html#drift-considerations>
pub(crate) fn detectable(stack: &Stack) -> Result<(), Error> {
    match stack.phase {
        Phase::Created
        | Phase::Imported
        | Phase::ImportRolledBack
        | Phase::Updated
        | Phase::UpdateRolledBack
        | Phase::UpdateRollbackFailed => Ok(()),
        phase => {
            let status = crate::status::stack(phase);
            Err(Error::invalid(format!(
                "Drift detection cannot be performed on stack [{}] while it is in status {status}",
                stack.arn
            )))
        }
    }
}

/// Detects the drift of one resource and stores the result. `None` if its type has no function that reads it.
pub(crate) fn resource(cx: &mut Cx<'_>, row: &StackResource) -> Option<ResourceDrift> {
    let kind = *cx.cloud().resource_type(&row.type_name)?;
    let read = kind.read?;
    let physical_id = row.physical_id.clone()?;
    let finding = match cx.on_behalf(|cx| read(cx, &reconcile::created(row))) {
        Ok(actual) => finding(&kind, row, actual),
        Err(error) => Finding::Unreadable(format!("{} ({})", error.message, error.code)),
    };
    let drift = ResourceDrift {
        stack: row.stack.clone(),
        logical_id: row.logical_id.clone(),
        physical_id,
        type_name: row.type_name.clone(),
        finding,
        at: cx.now,
    };
    cx.tx.put(drift.clone());
    Some(drift)
}

fn finding(kind: &ResourceType, row: &StackResource, actual: Option<Map<String, Value>>) -> Finding {
    let comparison = Comparison::new(kind, &row.properties, &row.tags);
    match actual {
        None => Finding::Deleted { expected: comparison.shown() },
        Some(actual) => {
            let (actual, differences) = comparison.with(actual);
            Finding::Compared { expected: comparison.shown(), actual, differences }
        }
    }
}

/// Detects the drift of the stack's resources; of all of them if `only` is empty.
pub(crate) fn stack(cx: &mut Cx<'_>, stack: &Stack, only: &[LogicalId]) -> Result<DriftDetectionId, Error> {
    detectable(stack)?;
    let rows: Vec<_> = existing(cx.tx, &stack.uuid).collect();
    if let Some(unknown) = only.iter().find(|id| !rows.iter().any(|row| row.logical_id == **id)) {
        return Err(no_resource(unknown, stack));
    }
    let (mut drifted, mut unreadable) = (0, Vec::new());
    for row in rows.iter().filter(|row| only.is_empty() || only.contains(&row.logical_id)) {
        match resource(cx, row) {
            Some(drift) if drift.has_drifted() => drifted += 1,
            Some(ResourceDrift { finding: Finding::Unreadable(_), logical_id, .. }) => {
                unreadable.push(logical_id);
            }
            _ => {}
        }
    }
    let id = DriftDetectionId(ids::random_uuid());
    forget_oldest(cx.tx, &stack.uuid);
    let (stack, at) = (stack.uuid.clone(), cx.now);
    cx.tx.put(DriftDetection { id: id.clone(), stack, drifted, unreadable, at, is_outdated: false });
    Ok(id)
}

pub(crate) fn no_resource(logical: &LogicalId, stack: &Stack) -> Error {
    Error::invalid(format!("Resource {logical} does not exist for stack {}", stack.name))
}

/// The stack's resources that the template describes.
pub(crate) fn existing(
    image: &Image,
    stack: &StackUuid,
) -> impl Iterator<Item = std::sync::Arc<StackResource>> {
    let exists = |row: &StackResource| row.is_current() && row.state != ResourceState::Waiting;
    find::resources(image, stack).into_iter().filter(move |row| exists(row))
}

fn detections(image: &Image, stack: &StackUuid) -> Vec<DriftDetection> {
    let of = image.scan::<DriftDetection>().filter(|detection| detection.stack == *stack);
    of.map(|detection| (*detection).clone()).collect()
}

fn forget_oldest(tx: &mut Tx, stack: &StackUuid) {
    let mut all = detections(tx, stack);
    all.sort_by_key(|detection| std::cmp::Reverse(detection.at));
    for old in all.iter().skip(DETECTIONS_KEPT - 1) {
        tx.delete::<DriftDetection>(&old.id);
    }
}

/// Forgets the results of earlier detections: an update changes what the resources should be.
pub(crate) fn reset(tx: &mut Tx, stack: &StackUuid) {
    for drift in tx.prefix::<ResourceDrift>(&format!("{stack}/")).collect::<Vec<_>>() {
        tx.delete::<ResourceDrift>(&ResourceDrift::key_of(stack, &drift.logical_id));
    }
    for detection in detections(tx, stack).into_iter().filter(|detection| !detection.is_outdated) {
        tx.put(DriftDetection { is_outdated: true, ..detection });
    }
}

/// Removes everything that is known of the drift of a deleted stack.
pub(crate) fn purge(tx: &mut Tx, stack: &StackUuid) {
    reset(tx, stack);
    for detection in detections(tx, stack) {
        tx.delete::<DriftDetection>(&detection.id);
    }
}

/// The result for a resource that still is the one that was checked.
pub(crate) fn of(image: &Image, row: &StackResource) -> Option<std::sync::Arc<ResourceDrift>> {
    let drift = image.get::<ResourceDrift>(&ResourceDrift::key_of(&row.stack, &row.logical_id))?;
    (row.physical_id.as_ref() == Some(&drift.physical_id)).then_some(drift)
}

pub(crate) fn resource_status(drift: &ResourceDrift) -> StackResourceDriftStatus {
    match &drift.finding {
        Finding::Compared { differences, .. } if differences.is_empty() => StackResourceDriftStatus::InSync,
        Finding::Compared { .. } => StackResourceDriftStatus::Modified,
        Finding::Deleted { .. } => StackResourceDriftStatus::Deleted,
        Finding::Unreadable(_) => StackResourceDriftStatus::Unknown,
    }
}

pub(crate) fn detection_status(detection: &DriftDetection) -> StackDriftStatus {
    match (detection.drifted, detection.unreadable.is_empty()) {
        (1.., _) => StackDriftStatus::Drifted,
        (0, false) => StackDriftStatus::Unknown,
        (0, true) => StackDriftStatus::InSync,
    }
}

/// The status of a stack by all its results, and the time of the newest one.
pub(crate) fn stack_status(image: &Image, stack: &StackUuid) -> (StackDriftStatus, Option<Timestamp>) {
    let results: Vec<_> = image.prefix::<ResourceDrift>(&format!("{stack}/")).collect();
    let detections = detections(image, stack).into_iter().filter(|detection| !detection.is_outdated);
    let newest = results.iter().map(|drift| drift.at).chain(detections.map(|detection| detection.at)).max();
    let status = match newest {
        None => StackDriftStatus::NotChecked,
        Some(_) if results.iter().any(|drift| drift.has_drifted()) => StackDriftStatus::Drifted,
        Some(_) if results.iter().any(|drift| matches!(drift.finding, Finding::Unreadable(_))) => {
            StackDriftStatus::Unknown
        }
        Some(_) => StackDriftStatus::InSync,
    };
    (status, newest)
}

/// A detection by its id.
pub(crate) fn detection(
    image: &Image,
    id: &DriftDetectionId,
) -> Result<(std::sync::Arc<Stack>, std::sync::Arc<DriftDetection>), Error> {
    let detection = image
        .get::<DriftDetection>(id)
        .ok_or_else(|| Error::invalid(format!("Drift detection with id [{id}] does not exist")))?;
    let stack = image.get::<Stack>(&detection.stack).ok_or_else(AwsError::internal)?;
    Ok((stack, detection))
}

/// A property's value as a response shows it: texts as they are, everything else as JSON.
pub(crate) fn text(value: &Value) -> String {
    match evaluation::shown(value) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

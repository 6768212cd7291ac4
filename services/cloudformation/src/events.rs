//! Records a stack's events in order.

use crate::status;
use escale_base::{Timestamp, ids};
use escale_store::Tx;
use escale_tables::cloudformation::{
    Busy, EventCount, EventId, LogicalId, Phase, PhysicalId, ResourceStatus, Stack, StackEvent,
    StackResource, StackUuid, TypeName,
};

/// The stack's own event type.
pub(crate) const STACK: &str = "AWS::CloudFormation::Stack";

/// Moves the stack into a phase and records the event. `None` if there is no such stack.
pub(crate) fn enter(
    tx: &mut Tx,
    uuid: &StackUuid,
    phase: Phase,
    reason: Option<String>,
    now: Timestamp,
) -> Option<()> {
    let event_reason = reason.clone();
    let (name, arn) = tx.update::<Stack, _>(uuid, |s| {
        (s.phase, s.since, s.reason) = (phase, now, reason);
        (s.name.clone(), s.arn.clone())
    })?;
    // In the same transaction as the phase, so that the engine misses no stack that has work.
    if phase.is_busy() {
        tx.put(Busy { stack: uuid.clone() });
    } else {
        tx.delete::<Busy>(uuid);
    }
    let id = EventId(ids::random_uuid());
    // In its own events the stack is its own resource.
    let what = (LogicalId::from(&*name), PhysicalId::from(&*arn), STACK.into());
    append(tx, uuid, id, what, status::stack_event(phase), event_reason, now);
    Some(())
}

/// Records the resource's current state as an event, with `reason`.
pub(crate) fn resource(tx: &mut Tx, row: &StackResource, reason: Option<String>, now: Timestamp) {
    let Some(status) = status::resource(row.state) else { return };
    record(tx, row, status, reason, now);
}

/// Records an event of a resource; `status` may differ from the row's state.
pub(crate) fn record(
    tx: &mut Tx,
    row: &StackResource,
    status: ResourceStatus,
    reason: Option<String>,
    now: Timestamp,
) {
    let id = EventId(format!("{}-{status}-{}", row.logical_id, now.iso8601()));
    let physical = row.physical_id.clone().unwrap_or_default();
    let what = (row.logical_id.clone(), physical, row.type_name.clone());
    append(tx, &row.stack, id, what, status, reason, now);
}

#[allow(clippy::too_many_arguments)] // one parameter per column
fn append(
    tx: &mut Tx,
    uuid: &StackUuid,
    id: EventId,
    (logical_id, physical_id, type_name): (LogicalId, PhysicalId, TypeName),
    status: ResourceStatus,
    reason: Option<String>,
    at: Timestamp,
) {
    let Some(token) = tx.get::<Stack>(uuid).map(|s| s.token.clone()) else { return };
    let number = tx.get::<EventCount>(uuid).map_or(0, |count| count.events);
    tx.put(EventCount { stack: uuid.clone(), events: number + 1 });
    let stack = uuid.clone();
    tx.put(StackEvent { stack, number, id, logical_id, physical_id, type_name, status, reason, token, at });
}

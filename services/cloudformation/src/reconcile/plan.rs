//! Plans the actions that are possible for a stack now. Pure.

use super::{Action, created};
use crate::find;
use escale_base::Timestamp;
use escale_engine::Plan;
use escale_service::{Cloud, Readiness};
use escale_store::Image;
use escale_tables::cloudformation::{LogicalId, Phase, ResourceState, Stack, StackResource};
use std::sync::Arc;

/// The time limit for the creation or deletion of one resource. AWS's limits are between minutes and hours. On one machine no
/// resource takes that long, and a user who waits at a terminal needs an answer.
pub(super) const LIMIT_MS: i64 = 15 * 60_000;

/// How long a deletion is retried that the service refuses because of a dependency: long enough for dependent objects that
/// disappear by themselves, such as the network interface of a stopped task.
pub(super) const REFUSED_MS: i64 = 3 * 60_000;

pub(super) fn plan(cloud: &Cloud, image: &Image, key: &str, now: Timestamp) -> Plan<Vec<Action>> {
    let Some(stack) = image.get::<Stack>(key) else { return Plan::Done };
    let rows = find::resources(image, &stack.uuid);
    match stack.phase {
        Phase::Creating => creation(cloud, image, &stack, &rows, now),
        Phase::Deleting | Phase::RollingBack => deletion(cloud, image, &rows, now),
        _ => Plan::Done,
    }
}

/// The time by which the resource's creation or deletion must complete.
pub(super) fn deadline(row: &StackResource) -> Timestamp {
    let refused = matches!(row.state, ResourceState::Deleting { asked: false });
    row.since.plus_ms(if refused { REFUSED_MS } else { LIMIT_MS })
}

/// The readiness of a resource that is being created or deleted.
pub(super) fn readiness(cloud: &Cloud, image: &Image, row: &StackResource) -> Readiness {
    let Some(kind) = cloud.resource_type(&row.type_name) else {
        return Readiness::Failed(format!(
            "This version of Escale does not support the resource type {}",
            row.type_name
        ));
    };
    match row.state {
        ResourceState::Deleting { .. } => (kind.gone)(image, &created(row)),
        _ => (kind.ready)(image, &created(row)),
    }
}

/// The resources that the stack waits for, and the earliest deadline.
#[derive(Default)]
struct Waits {
    why: Vec<String>,
    until: Option<Timestamp>,
}

impl Waits {
    fn add(&mut self, why: String, until: Timestamp) {
        self.why.push(why);
        self.until = Some(self.until.map_or(until, |u| u.min(until)));
    }

    fn plan(self) -> Plan<Vec<Action>> {
        Plan::Wait { why: self.why.join("; "), until: self.until }
    }

    /// Whether the resource still waits and its row already has the reason; if so, adds it to the waits.
    fn is_waiting(&mut self, cloud: &Cloud, image: &Image, row: &StackResource, now: Timestamp) -> bool {
        let until = deadline(row);
        match readiness(cloud, image, row) {
            Readiness::Pending(why) if now < until && row.waiting_for.as_ref() == Some(&why) => {
                // Without this case a row that does not change would be observed and planned again forever.
                self.add(format!("{}: {why}", row.logical_id), until);
                true
            }
            _ => false,
        }
    }
}

fn creation(
    cloud: &Cloud,
    image: &Image,
    stack: &Stack,
    rows: &[Arc<StackResource>],
    now: Timestamp,
) -> Plan<Vec<Action>> {
    if rows.iter().any(|r| r.state == ResourceState::CreateFailed) {
        return Plan::Step(vec![Action::GiveUp]);
    }
    let mut waits = Waits::default();
    if let Some(minutes) = stack.timeout_minutes {
        let end = stack.since.plus_ms(i64::from(minutes) * 60_000);
        if now >= end {
            return Plan::Step(vec![Action::TimeOut]);
        }
        // No row changes when the time is over, so the engine must plan again then.
        waits.until = Some(end);
    }
    let exists =
        |id: &LogicalId| rows.iter().any(|r| r.logical_id == *id && r.state == ResourceState::Created);
    let mut actions = Vec::new();
    for row in rows {
        match row.state {
            ResourceState::Creating if !waits.is_waiting(cloud, image, row, now) => {
                actions.push(Action::Observe(row.logical_id.clone()));
            }
            ResourceState::Waiting if row.needs.iter().all(exists) => {
                actions.push(Action::Create(row.logical_id.clone()));
            }
            _ => {}
        }
    }
    if !actions.is_empty() {
        return Plan::Step(actions);
    }
    if rows.iter().all(|r| r.state == ResourceState::Created) {
        return Plan::Step(vec![Action::Complete]);
    }
    waits.plan()
}

/// Whether the resource, or a part of it, still exists.
pub(super) fn is_there(row: &StackResource) -> bool {
    match row.state {
        ResourceState::Waiting | ResourceState::Deleted | ResourceState::Retained => false,
        ResourceState::CreateFailed => row.physical_id.is_some(),
        _ => true,
    }
}

fn deletion(cloud: &Cloud, image: &Image, rows: &[Arc<StackResource>], now: Timestamp) -> Plan<Vec<Action>> {
    let mut waits = Waits::default();
    let mut actions = Vec::new();
    for row in rows.iter().filter(|r| is_there(r)) {
        match row.state {
            ResourceState::Deleting { asked: true } => {
                if !waits.is_waiting(cloud, image, row, now) {
                    actions.push(Action::Observe(row.logical_id.clone()));
                }
            }
            // Not retried: the stack becomes DELETE_FAILED once nothing else is left to delete.
            ResourceState::DeleteFailed => {}
            _ => {
                // A resource is deleted only after all resources that depend on it.
                let is_needed = rows.iter().any(|o| o.needs.contains(&row.logical_id) && is_there(o));
                if !is_needed {
                    actions.push(Action::Delete(row.logical_id.clone()));
                }
            }
        }
    }
    match (actions.is_empty(), waits.why.is_empty()) {
        (false, _) => Plan::Step(actions),
        (true, false) => waits.plan(),
        (true, true) => Plan::Step(vec![Action::Finish]),
    }
}

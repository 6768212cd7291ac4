//! Plans the actions that are possible for a stack now. Pure.

use super::{Action, Which, created};
use crate::{events, find, nested};
use escale_base::Timestamp;
use escale_engine::Plan;
use escale_service::{Cloud, Readiness};
use escale_store::Image;
use escale_tables::cloudformation::{LogicalId, OnFailure, Phase, ResourceState, Stack, StackResource};
use std::{collections::BTreeSet, sync::Arc};

/// The time limit for the creation or deletion of one resource. AWS's limits are between minutes and hours. On one machine no
/// resource takes that long, and a user who waits at a terminal needs an answer.
pub(super) const LIMIT_MS: i64 = 15 * 60_000;

/// The time after a type's own limit in which it reports that the limit is over.
const GRACE_MS: i64 = 60_000;

/// The time limit for a nested stack.
const NESTED_MS: i64 = 24 * 3_600_000;

/// How long a deletion is retried that the service refuses because of a dependency: long enough for dependent objects that
/// disappear by themselves, such as the network interface of a stopped task.
pub(super) const REFUSED_MS: i64 = 3 * 60_000;

pub(super) fn plan(cloud: &Cloud, image: &Image, key: &str, now: Timestamp) -> Plan<Vec<Action>> {
    let Some(stack) = image.get::<Stack>(key) else { return Plan::Done };
    let rows = find::resources(image, &stack.uuid);
    match stack.phase {
        Phase::Creating | Phase::Updating | Phase::UpdateRollingBack => {
            let current: Vec<_> = rows.into_iter().filter(|row| row.is_current()).collect();
            change(cloud, image, &stack, &current, now)
        }
        Phase::Importing => Plan::Step(vec![Action::Import]),
        Phase::Deleting | Phase::RollingBack => deletion(cloud, image, &rows, now),
        Phase::UpdateCleanup if nested::is_held(image, &stack) => {
            Plan::Wait { why: "the update of the parent stack".into(), until: None }
        }
        Phase::UpdateCleanup | Phase::UpdateRollbackCleanup => clean_up(cloud, image, &stack, rows, now),
        _ => Plan::Done,
    }
}

/// Deletes what is no longer part of the stack. Nested stacks do the same at the same time.
fn clean_up(
    cloud: &Cloud,
    image: &Image,
    stack: &Stack,
    rows: Vec<Arc<StackResource>>,
    now: Timestamp,
) -> Plan<Vec<Action>> {
    let has_nested = rows.iter().any(|row| row.type_name == events::STACK);
    let left: Vec<_> = rows.into_iter().filter(|row| !row.is_current()).collect();
    let plan = deletion(cloud, image, &left, now);
    let is_last = matches!(&plan, Plan::Step(actions) if actions.contains(&Action::Finish));
    match has_nested.then(|| nested::busy_child(image, stack)).flatten() {
        // The next update needs nested stacks that are complete.
        Some(child) if is_last => Plan::Wait { why: format!("the clean-up of {}", child.name), until: None },
        _ => plan,
    }
}

/// The time by which the resource's creation, change or deletion must complete.
pub(super) fn deadline(cloud: &Cloud, image: &Image, row: &StackResource) -> Timestamp {
    let since = |ms| row.since.plus_ms(ms);
    match row.state {
        ResourceState::Deleting { asked: false } => since(REFUSED_MS),
        // Each of its own resources has a limit.
        _ if row.type_name == events::STACK => since(NESTED_MS),
        ResourceState::Deleting { asked: true } => since(LIMIT_MS),
        _ => {
            let kind = cloud.resource_type(&row.type_name);
            let own = kind.and_then(|kind| (kind.within)(image, &created(row)));
            // The type itself reports the end of its own limit, with a better reason.
            own.map_or(since(LIMIT_MS), |own| own.plus_ms(GRACE_MS).max(since(LIMIT_MS)))
        }
    }
}

/// The readiness of a resource that is being created, changed or deleted.
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
        let until = deadline(cloud, image, row);
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

/// Whether the work on the resource has failed.
pub(super) fn has_failed(row: &StackResource) -> bool {
    !row.pending && matches!(row.state, ResourceState::CreateFailed | ResourceState::UpdateFailed)
}

/// Creates the resources that do not exist and changes those that may differ from the content.
fn change(
    cloud: &Cloud,
    image: &Image,
    stack: &Stack,
    rows: &[Arc<StackResource>],
    now: Timestamp,
) -> Plan<Vec<Action>> {
    // After a failure nothing new starts, but a rollback goes on as far as it can. Without a rollback, resources in progress
    // are worth completing.
    let failed = rows.iter().any(|r| has_failed(r));
    let goes_on = !failed || stack.phase == Phase::UpdateRollingBack;
    if !goes_on && stack.on_failure != OnFailure::DoNothing {
        return Plan::Step(vec![Action::GiveUp]);
    }
    let mut waits = Waits::default();
    // The limit concerns creations only.
    if let Some(minutes) = stack.timeout_minutes.filter(|_| stack.phase == Phase::Creating) {
        let end = stack.since.plus_ms(i64::from(minutes) * 60_000);
        if now >= end {
            return Plan::Step(vec![Action::TimeOut]);
        }
        // No row changes when the time is over, so the engine must plan again then.
        waits.until = Some(end);
    }
    let settled: BTreeSet<&LogicalId> =
        rows.iter().filter(|r| r.is_settled()).map(|r| &r.logical_id).collect();
    let may_start = |row: &StackResource| goes_on && row.needs.iter().all(|id| settled.contains(id));
    let mut actions = Vec::new();
    let mut in_progress = false;
    for row in rows {
        match row.state {
            ResourceState::Creating | ResourceState::Updating => {
                in_progress = true;
                if !waits.is_waiting(cloud, image, row, now) {
                    actions.push(Action::Observe(Which::of(row)));
                }
            }
            ResourceState::Waiting if may_start(row) => actions.push(Action::Create(Which::of(row))),
            _ if row.pending && may_start(row) => actions.push(Action::Update(Which::of(row))),
            _ => {}
        }
    }
    if !actions.is_empty() {
        return Plan::Step(actions);
    }
    if settled.len() == rows.len() {
        return Plan::Step(vec![Action::Complete]);
    }
    if failed && !in_progress {
        return Plan::Step(vec![Action::GiveUp]);
    }
    waits.plan()
}

/// Whether the resource, or a part of it, still exists.
pub(super) fn is_there(row: &StackResource) -> bool {
    match row.state {
        ResourceState::Waiting | ResourceState::Deleted | ResourceState::Retained => false,
        ResourceState::CreateFailed | ResourceState::UpdateFailed => row.physical_id.is_some(),
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
                    actions.push(Action::Observe(Which::of(row)));
                }
            }
            // Not retried: the stack becomes DELETE_FAILED once nothing else is left to delete.
            ResourceState::DeleteFailed => {}
            _ => {
                // A resource is deleted only after all resources that depend on it.
                let is_needed = rows.iter().any(|o| o.needs.contains(&row.logical_id) && is_there(o));
                if !is_needed {
                    actions.push(Action::Delete(Which::of(row)));
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

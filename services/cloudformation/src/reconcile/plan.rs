//! What can be done for a stack now. Pure.

use super::{Action, created};
use crate::find;
use escale_base::Timestamp;
use escale_engine::Plan;
use escale_service::{Cloud, Readiness};
use escale_store::Image;
use escale_tables::cloudformation::{Phase, ResourceState, Stack, StackResource};
use std::sync::Arc;

/// How long a resource may take to come true, or to go. AWS's own limits lie between a few minutes and hours; nothing on
/// one machine takes that long, and who waits at a terminal wants to know.
pub(super) const LIMIT_MS: i64 = 15 * 60_000;

/// How long a deletion that its service refuses for now ("has a dependent object") is tried again: long enough for
/// what goes by itself, a stopped task's interface.
pub(super) const REFUSED_MS: i64 = 3 * 60_000;

pub(super) fn plan(cloud: &Cloud, image: &Image, key: &str, now: Timestamp) -> Plan<Vec<Action>> {
    let Some(stack) = image.get::<Stack>(key) else { return Plan::Done };
    let rows = find::resources(image, key);
    match stack.phase {
        Phase::Creating => creation(cloud, image, &stack, &rows, now),
        Phase::Deleting | Phase::RollingBack => deletion(cloud, image, &rows, now),
        _ => Plan::Done,
    }
}

/// By when a resource must have come true.
pub(super) fn deadline(row: &StackResource) -> Timestamp {
    let refused = matches!(row.state, ResourceState::Deleting { asked: false });
    row.since.plus_ms(if refused { REFUSED_MS } else { LIMIT_MS })
}

/// How far a resource is that was made, or that its service was asked to delete.
pub(super) fn readiness(cloud: &Cloud, image: &Image, row: &StackResource) -> Readiness {
    let Some(kind) = cloud.resource_type(&row.type_name) else {
        return Readiness::Failed(format!("{} is no type of this version of Escale", row.type_name));
    };
    match row.state {
        ResourceState::Deleting { .. } => (kind.gone)(image, &created(row)),
        _ => (kind.ready)(image, &created(row)),
    }
}

/// What is being waited for, and until when at most.
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

    /// Whether the row already says what is to be said of it; if so, it is waited for.
    fn settled(&mut self, cloud: &Cloud, image: &Image, row: &StackResource, now: Timestamp) -> bool {
        let until = deadline(row);
        match readiness(cloud, image, row) {
            Readiness::Pending(why) if now < until && row.waiting_for.as_ref() == Some(&why) => {
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
        waits.until = Some(end);
    }
    let stands = |id: &String| rows.iter().any(|r| r.logical_id == *id && r.state == ResourceState::Created);
    let mut actions = Vec::new();
    for row in rows {
        match row.state {
            ResourceState::Creating if !waits.settled(cloud, image, row, now) => {
                actions.push(Action::Look(row.logical_id.clone()));
            }
            ResourceState::Waiting if row.needs.iter().all(stands) => {
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

/// Whether there is something of it left.
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
                if !waits.settled(cloud, image, row, now) {
                    actions.push(Action::Look(row.logical_id.clone()));
                }
            }
            ResourceState::DeleteFailed => {}
            _ => {
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

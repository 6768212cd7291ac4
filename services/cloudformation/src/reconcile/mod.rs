//! Reconciles stacks: creates and changes each resource once its dependencies have their new content, and deletes in the opposite
//! order. An update and the return from a failed one are the same steps with another content.
//!
//! The key of the reconciler is a stack. [`plan`] reads its rows and lists the actions that are possible now. Each [`Action`] is
//! one transaction that changes the rows of the resource's service and the resource's own row together, so a crash between two
//! actions loses and repeats nothing. No action waits: a change of any row makes the engine plan again.

mod create;
mod delete;
mod import;
mod plan;
#[cfg(test)]
mod tests;
mod update;

use crate::{Error, error, events, template};
pub(crate) use create::fail;
use escale_base::{AwsError, Timestamp};
use escale_engine::{Plan, Reconciler, StepError};
use escale_service::{Caller, Cloud, Created, Cx, Principal, Readiness};
use escale_store::{ALL_TABLES, Change, Image, Store};
use escale_tables::cloudformation::{
    Busy, Content, LogicalId, Phase, ResourceState, Stack, StackResource, StackUuid,
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

/// The reconciler of stacks.
pub(crate) struct Stacks {
    store: Store,
    cloud: Arc<Cloud>,
    /// A cache of the parsed templates of busy stacks, with the numbers of their contents.
    parsed: Mutex<HashMap<StackUuid, (u32, Arc<template::Template>)>>,
}

/// One transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Create(Which),
    /// Compares a resource with the content, and changes or replaces it.
    Update(Which),
    /// Records the progress of a resource that is being created, changed or deleted.
    Observe(Which),
    Delete(Which),
    /// Every resource has the stack's content.
    Complete,
    /// Imports existing resources.
    Import,
    /// A resource failed: the work on the others stops.
    GiveUp,
    /// The creation exceeded the stack's timeout.
    TimeOut,
    /// No resource is left to delete.
    Finish,
}

/// A physical resource of the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Which {
    pub(crate) logical: LogicalId,
    pub(crate) version: u32,
}

impl Which {
    pub(super) fn of(row: &StackResource) -> Which {
        Which { logical: row.logical_id.clone(), version: row.version }
    }

    fn read(&self, image: &Image, stack: &Stack) -> Option<Arc<StackResource>> {
        image.get::<StackResource>(&StackResource::key_of(&stack.uuid, &self.logical, self.version))
    }
}

/// The principal whose permissions the stack has: the caller of its creation or deletion. If the stored principal cannot be read,
/// the stack has no permissions.
fn principal(stack: &Stack) -> Result<Principal, AwsError> {
    serde_json::from_value(stack.principal.clone())
        .map_err(|error| Error::UnreadablePrincipal(stack.name.clone(), error.to_string()).into())
}

impl Stacks {
    pub(crate) fn new(store: Store, cloud: Arc<Cloud>) -> Stacks {
        Stacks { store, cloud, parsed: Mutex::default() }
    }

    /// Runs `work` with the permissions of the stack's principal. It may call operations of other services.
    fn transact(
        &self,
        stack: &Stack,
        work: impl FnOnce(&mut Cx<'_>) -> Result<(), AwsError>,
    ) -> Result<(), AwsError> {
        self.transact_as(principal(stack)?, work)
    }

    /// Records a result without permissions: `work` must call no operation, and every call would be denied.
    fn record(&self, work: impl FnOnce(&mut Cx<'_>) -> Result<(), AwsError>) -> Result<(), AwsError> {
        self.transact_as(Principal::Anonymous, work)
    }

    fn transact_as(
        &self,
        principal: Principal,
        work: impl FnOnce(&mut Cx<'_>) -> Result<(), AwsError>,
    ) -> Result<(), AwsError> {
        let caller = Caller { principal, ..Caller::service("cloudformation.amazonaws.com") };
        self.cloud.transact(&self.store, &caller, work).map_err(|failed| failed.0)
    }

    fn template(
        &self,
        stack: &Stack,
        content: &Content,
    ) -> Result<Arc<template::Template>, template::TemplateError> {
        // Not locked during the parsing: steps of other stacks use the cache, too.
        let lock = || self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((number, parsed)) = lock().get(&stack.uuid)
            && *number == stack.content
        {
            return Ok(Arc::clone(parsed));
        }
        // With the larger size limit: the size was checked when the template arrived.
        let parsed = Arc::new(template::parse(&content.template, template::Origin::File)?);
        lock().insert(stack.uuid.clone(), (stack.content, Arc::clone(&parsed)));
        Ok(parsed)
    }

    fn take(&self, stack: &Stack, action: &Action) -> Result<(), AwsError> {
        match action {
            Action::Create(which) => self.create(stack, which),
            Action::Update(which) => self.update(stack, which),
            Action::Observe(which) => self.observe(stack, which),
            Action::Delete(which) => self.delete(stack, which),
            Action::Complete => self.complete(stack),
            Action::Import => self.import(stack),
            Action::GiveUp => self.give_up(stack, None),
            Action::TimeOut => {
                self.give_up(stack, Some("Stack creation time exceeded the specified timeout. "))
            }
            Action::Finish => self.finish(stack),
        }
    }

    /// Whether an earlier action has settled the resource that this one compares.
    fn is_settled(&self, stack: &Stack, action: &Action) -> bool {
        let row = |which: &Which| which.read(&self.store.read(), stack);
        matches!(action, Action::Update(which) if row(which).is_some_and(|row| row.is_settled()))
    }

    /// Records whether a resource has become ready, has failed or still waits.
    fn observe(&self, stack: &Stack, which: &Which) -> Result<(), AwsError> {
        self.record(|cx| {
            let Some(row) = which.read(cx.tx, stack) else { return Ok(()) };
            let now = cx.now;
            let mut row = (*row).clone();
            let (done, failed) = match row.state {
                ResourceState::Creating => (ResourceState::Created, ResourceState::CreateFailed),
                ResourceState::Updating => (ResourceState::Updated, ResourceState::UpdateFailed),
                ResourceState::Deleting { asked: true } => {
                    (ResourceState::Deleted, ResourceState::DeleteFailed)
                }
                _ => return Ok(()),
            };
            // Readiness is read even after the deadline: a resource that just became ready is no failure.
            let late = now >= plan::deadline(&self.cloud, cx.tx, &row);
            let after = match plan::readiness(&self.cloud, cx.tx, &row) {
                Readiness::Ready(attributes) => {
                    row.attributes.extend(attributes);
                    Ok(())
                }
                // The reason of another stack needs no wrapping.
                Readiness::Failed(why) if row.type_name == events::STACK => Err(why),
                Readiness::Failed(why) => Err(handler_message(&why, "NotStabilized")),
                Readiness::Pending(why) if late => {
                    let waited = plan::LIMIT_MS / 60_000;
                    Err(handler_message(
                        &format!("Still not complete after {waited} minutes: {why}"),
                        "NotStabilized",
                    ))
                }
                Readiness::Pending(why) => {
                    row.waiting_for = Some(why);
                    cx.tx.put(row);
                    return Ok(());
                }
            };
            row.state = if after.is_ok() { done } else { failed };
            (row.since, row.reason, row.waiting_for) = (now, after.err(), None);
            cx.tx.put(row.clone());
            events::resource(cx.tx, &row, row.reason.clone(), now);
            Ok(())
        })
    }
}

/// The event reason for an error of a resource's service.
fn refused(error: &AwsError) -> String {
    let message = format!("{} ({})", error.message, error.code);
    handler_message(&message, error::handler_code(error))
}

fn handler_message(message: &str, code: &str) -> String {
    format!("Resource handler returned message: \"{message}\" (HandlerErrorCode: {code})")
}

/// Whether the stack is still in the phase and has the content for which the step was planned.
fn is_current(cx: &Cx<'_>, stack: &Stack) -> bool {
    cx.tx.get::<Stack>(&stack.uuid).is_some_and(|s| (s.phase, s.content) == (stack.phase, stack.content))
}

/// The phases in which resources get the stack's content.
const CHANGING: &[Phase] = &[Phase::Creating, Phase::Updating, Phase::UpdateRollingBack];

/// The phases in which resources are deleted.
const DELETING: &[Phase] =
    &[Phase::Deleting, Phase::RollingBack, Phase::UpdateCleanup, Phase::UpdateRollbackCleanup];

/// The resource as its type gets it.
pub(crate) fn created(row: &StackResource) -> Created {
    let physical_id = row.physical_id.clone().unwrap_or_default().into();
    Created { physical_id, attributes: row.attributes.clone(), private: row.private.clone() }
}

impl Reconciler for Stacks {
    type Step = Vec<Action>;
    const NAME: &'static str = "cloudformation";
    /// The readiness of a resource depends on its own service's tables, which this service does not know.
    const WATCHES: &'static [&'static str] = ALL_TABLES;

    fn concerned(&self, image: &Image, _: &Change) -> BTreeSet<String> {
        // The change does not say which stack it concerns. `Busy` lists the few stacks that have work.
        image.scan::<Busy>().map(|b| b.stack.to_string()).collect()
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        image.scan::<Stack>().map(|s| s.uuid.to_string()).collect()
    }

    fn plan(&self, image: &Image, key: &str, now: Timestamp) -> Plan<Vec<Action>> {
        plan::plan(&self.cloud, image, key, now)
    }

    async fn act(&self, key: &str, actions: Vec<Action>) -> Result<(), StepError> {
        let (mut done, mut failed) = (false, None);
        if actions.iter().filter(|action| matches!(action, Action::Update(_))).count() > 1
            && let Some(stack) = self.store.read().get::<Stack>(key)
        {
            self.settle_unchanged(&stack)?;
        }
        for action in &actions {
            // Read for each action: an earlier one may have changed the phase.
            let Some(stack) = self.store.read().get::<Stack>(key) else { break };
            if self.is_settled(&stack, action) {
                done = true;
                continue;
            }
            match self.take(&stack, action) {
                Ok(()) => done = true,
                // One resource's error does not hold up the others.
                Err(error) => failed = Some(error),
            }
        }
        // A stack without work needs its parsed template no longer.
        if self.store.read().get::<Stack>(key).is_none_or(|s| !s.phase.is_busy()) {
            self.parsed.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        }
        match failed {
            // With some progress the engine plans again at once, without its pause after errors.
            Some(error) if !done => Err(StepError::new(error.to_string())),
            _ => Ok(()),
        }
    }
}

//! Makes stacks come true: creates every resource whose dependencies stand, deletes in the opposite order.
//!
//! One stack is one thing to the engine. [`plan`] reads its rows and lists what can be done now; each [`Action`] is one
//! transaction in which the resource's own service and the resource's row change together, so that a crash between
//! any two loses nothing and doubles nothing. Nothing waits: what takes its time is looked at again when a row changes.

mod create;
mod delete;
mod plan;
#[cfg(test)]
mod tests;

use crate::{Error, error, events, template};
use escale_base::{AwsError, Timestamp};
use escale_engine::{Plan, Reconciler, StepError};
use escale_service::{Caller, Cloud, Created, Cx, Principal, Readiness};
use escale_store::{ALL_TABLES, Change, Image, Store};
use escale_tables::cloudformation::{Busy, Phase, ResourceState, Stack, StackResource};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

/// The reconciler of stacks.
pub(crate) struct Stacks {
    store: Store,
    cloud: Arc<Cloud>,
    /// Templates that are being worked on, read once. Can be dropped at any time.
    parsed: Mutex<HashMap<String, Arc<template::Template>>>,
}

/// One transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Makes the resource with this logical id.
    Create(String),
    /// Looks at a resource that was made or is being deleted, and writes what became of it.
    Look(String),
    Delete(String),
    /// Every resource stands.
    Complete,
    /// A resource failed: the others stop.
    GiveUp,
    /// The stack took longer than it may.
    TimeOut,
    /// Nothing is left to delete.
    Finish,
}

/// In whose name a stack acts: whoever asked for the change. If that cannot be read, the stack may do nothing at all.
fn acting(stack: &Stack) -> Result<Principal, AwsError> {
    serde_json::from_value(stack.principal.clone())
        .map_err(|error| Error::UnreadablePrincipal(stack.name.clone(), error.to_string()).into())
}

impl Stacks {
    pub(crate) fn new(store: Store, cloud: Arc<Cloud>) -> Stacks {
        Stacks { store, cloud, parsed: Mutex::default() }
    }

    /// Calls operations of other services, in the name of whoever asked for the stack's change.
    fn transact(
        &self,
        stack: &Stack,
        work: impl FnOnce(&mut Cx<'_>) -> Result<(), AwsError>,
    ) -> Result<(), AwsError> {
        self.transact_as(acting(stack)?, work)
    }

    /// Writes what became of a stack. It calls no operation, and could not: nobody is its caller.
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

    fn template(&self, stack: &Stack) -> Result<Arc<template::Template>, template::TemplateError> {
        let lock = || self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(parsed) = lock().get(&stack.uuid) {
            return Ok(Arc::clone(parsed));
        }
        let parsed = Arc::new(template::parse(&stack.content.template, template::Origin::File)?);
        lock().insert(stack.uuid.clone(), Arc::clone(&parsed));
        Ok(parsed)
    }

    fn take(&self, stack: &Stack, action: &Action) -> Result<(), AwsError> {
        match action {
            Action::Create(logical) => self.create(stack, logical),
            Action::Look(logical) => self.look(stack, logical),
            Action::Delete(logical) => self.delete(stack, logical),
            Action::Complete => self.complete(stack),
            Action::GiveUp => self.give_up(stack, None),
            Action::TimeOut => {
                self.give_up(stack, Some("Stack creation time exceeded the specified timeout. "))
            }
            Action::Finish => self.finish(stack),
        }
    }

    /// Writes what became of a resource since.
    fn look(&self, stack: &Stack, logical: &str) -> Result<(), AwsError> {
        self.record(|cx| {
            let key = format!("{}/{logical}", stack.uuid);
            let Some(row) = cx.tx.get::<StackResource>(&key) else { return Ok(()) };
            let now = cx.now;
            let mut row = (*row).clone();
            let deleting = match row.state {
                ResourceState::Creating => false,
                ResourceState::Deleting { asked: true } => true,
                _ => return Ok(()),
            };
            let late = now >= plan::deadline(&row);
            let after = match plan::readiness(&self.cloud, cx.tx, &row) {
                Readiness::Ready(attributes) => {
                    row.attributes.extend(attributes);
                    Ok(())
                }
                Readiness::Failed(why) => Err(handler_message(&why, "NotStabilized")),
                Readiness::Pending(why) if late => {
                    let waited = plan::LIMIT_MS / 60_000;
                    Err(handler_message(&format!("After {waited} minutes: {why}"), "NotStabilized"))
                }
                Readiness::Pending(why) => {
                    row.waiting_for = Some(why);
                    cx.tx.put(row);
                    return Ok(());
                }
            };
            row.state = match (&after, deleting) {
                (Ok(()), false) => ResourceState::Created,
                (Ok(()), true) => ResourceState::Deleted,
                (Err(_), false) => ResourceState::CreateFailed,
                (Err(_), true) => ResourceState::DeleteFailed,
            };
            (row.since, row.reason, row.waiting_for) = (now, after.err(), None);
            cx.tx.put(row.clone());
            events::resource(cx.tx, &row, row.reason.clone(), now);
            Ok(())
        })
    }
}

/// What a resource's service answered, as an event tells it.
fn refused(error: &AwsError) -> String {
    let message = format!("{} ({})", error.message, error.code);
    handler_message(&message, error::handler_code(error))
}

fn handler_message(message: &str, code: &str) -> String {
    format!("Resource handler returned message: \"{message}\" (HandlerErrorCode: {code})")
}

/// Whether the stack is still where a step was planned for it.
fn is_in(cx: &Cx<'_>, stack: &Stack, phases: &[Phase]) -> bool {
    cx.tx.get::<Stack>(&stack.uuid).is_some_and(|s| phases.contains(&s.phase))
}

fn created(row: &StackResource) -> Created {
    let physical_id = row.physical_id.clone().unwrap_or_default();
    Created { physical_id, attributes: row.attributes.clone() }
}

impl Reconciler for Stacks {
    type Step = Vec<Action>;
    const NAME: &'static str = "cloudformation";
    /// A resource comes true in its own service's tables, whichever these are.
    const WATCHES: &'static [&'static str] = ALL_TABLES;

    fn concerned(&self, image: &Image, _: &Change) -> BTreeSet<String> {
        image.scan::<Busy>().map(|b| b.stack.clone()).collect()
    }

    fn all(&self, image: &Image) -> BTreeSet<String> {
        image.scan::<Stack>().map(|s| s.uuid.clone()).collect()
    }

    fn plan(&self, image: &Image, key: &str, now: Timestamp) -> Plan<Vec<Action>> {
        plan::plan(&self.cloud, image, key, now)
    }

    async fn act(&self, key: &str, actions: Vec<Action>) -> Result<(), StepError> {
        let (mut done, mut later) = (false, None);
        for action in &actions {
            let Some(stack) = self.store.read().get::<Stack>(key) else { break };
            match self.take(&stack, action) {
                Ok(()) => done = true,
                Err(error) => later = Some(error),
            }
        }
        if self.store.read().get::<Stack>(key).is_none_or(|s| !s.phase.is_busy()) {
            self.parsed.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        }
        match later {
            Some(error) if !done => Err(StepError::new(error.to_string())),
            _ => Ok(()),
        }
    }
}

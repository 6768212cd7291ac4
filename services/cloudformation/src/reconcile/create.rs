//! The steps of a creation.

use super::{Stacks, is_in, refused};
use crate::{
    Error, events, find, properties, scope,
    template::{self, Scope},
};
use escale_base::{AwsError, ErrorKind};
use escale_service::{Cx, Props};
use escale_tables::cloudformation::{
    Export, OnFailure, Phase, ResourceState, ResourceStatus, Stack, StackOutput, StackResource,
};
use serde_json::Value;
use std::collections::BTreeSet;

impl Stacks {
    /// Makes a resource: its service's rows and its own change in one commit. What its service refuses fails it.
    pub(super) fn create(&self, stack: &Stack, logical: &str) -> Result<(), AwsError> {
        let made = self.transact(stack, |cx| self.make(cx, stack, logical).map_err(AwsError::from));
        match made {
            Ok(()) => Ok(()),
            Err(error) if error.kind == ErrorKind::Throttled => Err(error),
            Err(error) => self.record(|cx| {
                let Some(mut row) = startable(cx, stack, logical) else { return Ok(()) };
                events::record(cx.tx, &row, ResourceStatus::CreateInProgress, None, cx.now);
                let ours = error.code == "ValidationError";
                let why = if ours { error.message.clone() } else { refused(&error) };
                (row.state, row.since, row.reason) = (ResourceState::CreateFailed, cx.now, Some(why.clone()));
                cx.tx.put(row.clone());
                events::resource(cx.tx, &row, Some(why), cx.now);
                Ok(())
            }),
        }
    }

    fn make(&self, cx: &mut Cx<'_>, stack: &Stack, logical: &str) -> Result<(), Error> {
        let Some(mut row) = startable(cx, stack, logical) else { return Ok(()) };
        let kind = *self
            .cloud
            .resource_type(&row.type_name)
            .ok_or_else(|| Error::not_supported(&format!("The resource type {}", row.type_name)))?;
        let (properties, imports) = self.evaluated(cx, stack, |scope| Ok(scope.properties(logical)?))?;
        let properties =
            template::dynamic::replace(&Value::Object(properties), &mut |r| scope::resolve(cx, r))?;
        let Value::Object(properties) = properties else { return Ok(()) };
        let properties = properties::coerced(&kind, logical, properties)?;
        let tags = scope::tags(stack, logical);
        let props =
            Props { values: &properties, stack_name: &stack.name, logical_id: logical, stack_tags: &tags };
        let created = (kind.create)(cx, &props)?;
        cx.tx.update::<Stack, _>(&stack.uuid, |s| s.imports.extend(imports));
        events::record(cx.tx, &row, ResourceStatus::CreateInProgress, None, cx.now);
        (row.state, row.since) = (ResourceState::Creating, cx.now);
        (row.physical_id, row.attributes) = (Some(created.physical_id), created.attributes);
        row.reason = Some("Resource creation Initiated".into());
        cx.tx.put(row.clone());
        events::resource(cx.tx, &row, row.reason.clone(), cx.now);
        Ok(())
    }

    /// Runs `ask` with the stack's expressions; also gives the exports that were used.
    fn evaluated<T>(
        &self,
        cx: &Cx<'_>,
        stack: &Stack,
        ask: impl FnOnce(&Scope<'_>) -> Result<T, Error>,
    ) -> Result<(T, BTreeSet<String>), Error> {
        let template = self.template(stack)?;
        let bound = scope::bound(&template, &stack.content)?;
        let world = scope::World::new(cx.tx, cx.config, &stack.uuid);
        let pseudo = scope::pseudo(cx.config, &stack.arn, &stack.name);
        let answer = ask(&Scope::new(&template, &bound.values, &pseudo, &world)?)?;
        Ok((answer, world.imports.into_inner()))
    }

    /// All resources stand: the outputs are known.
    pub(super) fn complete(&self, stack: &Stack) -> Result<(), AwsError> {
        let done = self.record(|cx| {
            if !is_in(cx, stack, &[Phase::Creating]) {
                return Ok(());
            }
            let (outputs, imports) = self.outputs(cx, stack)?;
            cx.tx.update::<Stack, _>(&stack.uuid, |s| {
                s.outputs = outputs;
                s.imports.extend(imports);
            });
            events::enter(cx.tx, &stack.uuid, Phase::Created, None, cx.now);
            Ok(())
        });
        match done {
            Err(error) if error.status < 500 => self.give_up(stack, Some(&format!("{}. ", error.message))),
            other => other,
        }
    }

    fn outputs(&self, cx: &mut Cx<'_>, stack: &Stack) -> Result<(Vec<StackOutput>, BTreeSet<String>), Error> {
        let (values, imports) = self.evaluated(cx, stack, |scope| Ok(scope.outputs()?))?;
        let template = self.template(stack)?;
        let mut outputs = Vec::new();
        for (key, (value, export)) in values {
            if let Some(name) = &export {
                if let Some(other) = cx.tx.get::<Export>(name) {
                    let owner = cx.tx.get::<Stack>(&other.stack).map(|s| s.name.clone()).unwrap_or_default();
                    let message = format!("Export with name {name} is already exported by stack {owner}");
                    return Err(Error::invalid(message));
                }
                cx.tx.put(Export { name: name.clone(), value: value.clone(), stack: stack.uuid.clone() });
            }
            let description = template.outputs.get(&key).and_then(|o| o.description.clone());
            outputs.push(StackOutput { key, value, description, export });
        }
        Ok((outputs, imports))
    }

    /// Stops what is under way and does what the stack's owner wished for this case.
    pub(super) fn give_up(&self, stack: &Stack, why: Option<&str>) -> Result<(), AwsError> {
        self.record(|cx| {
            if !is_in(cx, stack, &[Phase::Creating]) {
                return Ok(());
            }
            let now = cx.now;
            let mut failed = Vec::new();
            for row in find::resources(cx.tx, &stack.uuid) {
                let mut row = (*row).clone();
                if row.state == ResourceState::Creating {
                    let reason = Some("Resource creation cancelled".to_owned());
                    (row.state, row.since, row.waiting_for) = (ResourceState::CreateFailed, now, None);
                    row.reason.clone_from(&reason);
                    cx.tx.put(row.clone());
                    events::resource(cx.tx, &row, reason, now);
                }
                if row.state == ResourceState::CreateFailed {
                    failed.push(row.logical_id);
                }
            }
            let failed = failed.join(", ");
            let why = why.map_or_else(
                || format!("The following resource(s) failed to create: [{failed}]. "),
                str::to_owned,
            );
            let (phase, asked) = match stack.on_failure {
                OnFailure::Rollback => (Phase::RollingBack, "Rollback requested by user."),
                OnFailure::Delete => (Phase::Deleting, "Delete requested by user."),
                OnFailure::DoNothing => (Phase::CreateFailed, ""),
            };
            events::enter(cx.tx, &stack.uuid, phase, Some(format!("{why}{asked}")), now);
            Ok(())
        })
    }
}

/// The resource's row if it is still to be made.
fn startable(cx: &Cx<'_>, stack: &Stack, logical: &str) -> Option<StackResource> {
    let now = cx.tx.get::<Stack>(&stack.uuid)?;
    let failed = |r: &StackResource| r.state == ResourceState::CreateFailed;
    if now.phase != Phase::Creating || find::resources(cx.tx, &stack.uuid).iter().any(|r| failed(r)) {
        return None;
    }
    let row = cx.tx.get::<StackResource>(&format!("{}/{logical}", stack.uuid))?;
    (row.state == ResourceState::Waiting).then(|| (*row).clone())
}

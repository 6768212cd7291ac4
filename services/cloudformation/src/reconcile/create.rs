//! The steps of a stack's creation.

use super::{Stacks, is_in, refused};
use crate::{
    Error, events, find, properties, scope,
    template::{self, Scope},
};
use escale_base::{AwsError, ErrorKind};
use escale_service::{Cx, Props};
use escale_tables::cloudformation::{
    Export, ExportName, LogicalId, OnFailure, Phase, ResourceState, ResourceStatus, Stack, StackOutput,
    StackResource,
};
use serde_json::Value;
use std::collections::BTreeSet;

impl Stacks {
    /// Creates a resource: its service's rows and the resource's row in one commit. If the service refuses, the resource fails.
    pub(super) fn create(&self, stack: &Stack, logical: &LogicalId) -> Result<(), AwsError> {
        let made = self.transact(stack, |cx| self.create_in(cx, stack, logical).map_err(AwsError::from));
        match made {
            Ok(()) => Ok(()),
            // A retry may succeed, so the resource stays in its state.
            Err(error) if error.kind == ErrorKind::Throttled => Err(error),
            // The failed transaction wrote nothing, so the failure needs one of its own.
            Err(error) => self.record(|cx| {
                let Some(mut row) = startable(cx, stack, logical) else { return Ok(()) };
                events::record(cx.tx, &row, ResourceStatus::CreateInProgress, None, cx.now);
                // An error of CloudFormation itself is shown as it is, one of another service as a handler's message.
                let is_own = error.code == "ValidationError";
                let why = if is_own { error.message.clone() } else { refused(&error) };
                (row.state, row.since, row.reason) = (ResourceState::CreateFailed, cx.now, Some(why.clone()));
                cx.tx.put(row.clone());
                events::resource(cx.tx, &row, Some(why), cx.now);
                Ok(())
            }),
        }
    }

    fn create_in(&self, cx: &mut Cx<'_>, stack: &Stack, logical: &LogicalId) -> Result<(), Error> {
        let Some(mut row) = startable(cx, stack, logical) else { return Ok(()) };
        let kind = *self
            .cloud
            .resource_type(&row.type_name)
            .ok_or_else(|| AwsError::not_supported(format_args!("The resource type {}", row.type_name)))?;
        let (properties, imports) = self.evaluated(cx, stack, |scope| Ok(scope.properties(logical)?))?;
        let properties =
            template::dynamic::replace(&Value::Object(properties), &mut |r| scope::resolve(cx, r))?;
        let Value::Object(properties) = properties else { return Ok(()) };
        // Checked here as well: values of other resources and dynamic references are known only now.
        let properties = properties::coerced(&kind, logical, properties)?;
        let tags = scope::tags(stack, logical);
        let props =
            Props { values: &properties, stack_name: &stack.name, logical_id: logical, stack_tags: &tags };
        let created = (kind.create)(cx, &props)?;
        cx.tx.update::<Stack, _>(&stack.uuid, |s| s.imports.extend(imports));
        events::record(cx.tx, &row, ResourceStatus::CreateInProgress, None, cx.now);
        (row.state, row.since) = (ResourceState::Creating, cx.now);
        (row.physical_id, row.attributes) = (Some(created.physical_id.into()), created.attributes);
        row.reason = Some("Resource creation Initiated".into());
        cx.tx.put(row.clone());
        events::resource(cx.tx, &row, row.reason.clone(), cx.now);
        Ok(())
    }

    /// Runs `read` on the stack's expressions. Also returns the exports that they used.
    fn evaluated<T>(
        &self,
        cx: &Cx<'_>,
        stack: &Stack,
        read: impl FnOnce(&Scope<'_>) -> Result<T, Error>,
    ) -> Result<(T, BTreeSet<ExportName>), Error> {
        let template = self.template(stack)?;
        let bound = scope::bound(&template, &stack.content)?;
        let environment = scope::StackEnvironment::new(cx.tx, cx.config, Some(&stack.uuid));
        let pseudo = scope::pseudo(cx.config, &stack.arn, &stack.name);
        let answer = read(&Scope::new(&template, &bound.values, &pseudo, &environment)?)?;
        Ok((answer, environment.imports.into_inner()))
    }

    /// Completes the creation: all resources exist, so the outputs are known.
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
            // An output that cannot be evaluated stays wrong, so it fails the stack; an internal error is retried.
            Err(error) if error.status < 500 => self.give_up(stack, Some(&format!("{}. ", error.message))),
            other => other,
        }
    }

    fn outputs(
        &self,
        cx: &mut Cx<'_>,
        stack: &Stack,
    ) -> Result<(Vec<StackOutput>, BTreeSet<ExportName>), Error> {
        let (values, imports) = self.evaluated(cx, stack, |scope| Ok(scope.outputs()?))?;
        let template = self.template(stack)?;
        let mut outputs = Vec::new();
        for (key, (value, export)) in values {
            let export = export.map(ExportName);
            if let Some(name) = &export {
                // As on AWS, the name of an export is unique in the region.
                if let Some(other) = cx.tx.get::<Export>(name) {
                    let owner = cx.tx.get::<Stack>(&other.stack).map(|s| s.name.clone()).unwrap_or_default();
                    let message = format!("Export with name {name} is already exported by stack {owner}");
                    return Err(Error::invalid(message));
                }
                cx.tx.put(Export { name: name.clone(), value: value.clone(), stack: stack.uuid.clone() });
            }
            let description = template.outputs.get(&key).and_then(|o| o.description.clone());
            outputs.push(StackOutput { key: key.into(), value, description, export });
        }
        Ok((outputs, imports))
    }

    /// Ends a failed creation: marks resources in progress as failed and applies the stack's `OnFailure`.
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
                    // The row keeps its physical id, so the rollback deletes the resource.
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
            let (phase, request) = match stack.on_failure {
                OnFailure::Rollback => (Phase::RollingBack, "Rollback requested by user."),
                OnFailure::Delete => (Phase::Deleting, "Delete requested by user."),
                OnFailure::DoNothing => (Phase::CreateFailed, ""),
            };
            events::enter(cx.tx, &stack.uuid, phase, Some(format!("{why}{request}")), now);
            Ok(())
        })
    }
}

/// The resource's row if it must still be created. The plan may be outdated.
fn startable(cx: &Cx<'_>, stack: &Stack, logical: &LogicalId) -> Option<StackResource> {
    let now = cx.tx.get::<Stack>(&stack.uuid)?;
    // After one failure no further creation starts, also within the same step.
    let failed = |r: &StackResource| r.state == ResourceState::CreateFailed;
    if now.phase != Phase::Creating || find::resources(cx.tx, &stack.uuid).iter().any(|r| failed(r)) {
        return None;
    }
    let row = cx.tx.get::<StackResource>(&StackResource::key_of(&stack.uuid, logical))?;
    (row.state == ResourceState::Waiting).then(|| (*row).clone())
}

//! The steps that create resources, and the end of a creation or an update.

use super::{CHANGING, Stacks, Which, is_current, plan, refused};
use crate::{Error, evaluation::Evaluation, events, find, properties, scope, template, update};
use escale_base::{AwsError, ErrorKind};
use escale_service::{Created, Cx, Props, ResourceType};
use escale_tables::cloudformation::{
    Content, Export, ExportName, OnFailure, Phase, ResourceState, ResourceStatus, Stack, StackContent,
    StackOutput, StackResource,
};
use serde_json::{Map, Value};
use std::{collections::BTreeSet, sync::Arc};

/// AWS's reason for the event of a resource that its service has begun to create.
pub(super) const INITIATED: &str = "Resource creation Initiated";

/// A resource's properties by the stack's content.
pub(super) struct Evaluated {
    /// The form that the stack stores.
    pub(super) stored: Map<String, Value>,
    /// The values for the service: dynamic references are resolved, and each value has the type of its schema.
    pub(super) real: Map<String, Value>,
    pub(super) imports: BTreeSet<ExportName>,
}

impl Stacks {
    /// Creates a resource: its service's rows and the resource's row in one commit. If the service refuses, the resource fails.
    pub(super) fn create(&self, stack: &Stack, which: &Which) -> Result<(), AwsError> {
        let made = self.transact(stack, |cx| self.create_in(cx, stack, which).map_err(AwsError::from));
        match made {
            Ok(()) => Ok(()),
            // A retry may succeed, so the resource stays in its state.
            Err(error) if error.kind == ErrorKind::Throttled => Err(error),
            // The failed transaction wrote nothing, so the failure needs one of its own.
            Err(error) => self.record(|cx| {
                let Some(mut row) = startable(cx, stack, which) else { return Ok(()) };
                events::record(cx.tx, &row, ResourceStatus::CreateInProgress, None, cx.now);
                let why = reason(&error);
                (row.state, row.since, row.reason) = (ResourceState::CreateFailed, cx.now, Some(why.clone()));
                cx.tx.put(row.clone());
                events::resource(cx.tx, &row, Some(why), cx.now);
                Ok(())
            }),
        }
    }

    fn create_in(&self, cx: &mut Cx<'_>, stack: &Stack, which: &Which) -> Result<(), Error> {
        let Some(mut row) = startable(cx, stack, which) else { return Ok(()) };
        let kind = self.kind(&row)?;
        let content = find::content(cx.tx, stack)?;
        let evaluated = self.evaluated(cx, stack, &content.content, &row, &kind)?;
        events::record(cx.tx, &row, ResourceStatus::CreateInProgress, None, cx.now);
        let goal = Goal { stack, content: &content, kind };
        let created = goal.create(cx, &row, &evaluated.real)?;
        row.state = ResourceState::Creating;
        goal.enter(cx, &mut row, created, evaluated, INITIATED);
        Ok(())
    }

    pub(super) fn kind(&self, row: &StackResource) -> Result<ResourceType, Error> {
        let unknown = || AwsError::not_supported(format_args!("The resource type {}", row.type_name));
        Ok(*self.cloud.resource_type(&row.type_name).ok_or_else(unknown)?)
    }

    /// Evaluates the row's properties. Every resource that they refer to must have the stack's content.
    pub(super) fn evaluated(
        &self,
        cx: &mut Cx<'_>,
        stack: &Stack,
        content: &Content,
        row: &StackResource,
        kind: &ResourceType,
    ) -> Result<Evaluated, Error> {
        let (real, stored, imports) = self.stored(cx, stack, content, row)?;
        let real = template::dynamic::replace(&Value::Object(real), &mut |r| scope::resolve(cx, r))?;
        let Value::Object(real) = real else { return Err(AwsError::internal().into()) };
        // Checked here as well: values of other resources and dynamic references are known only now.
        Ok(Evaluated { stored, real: properties::coerced(kind, &row.logical_id, real)?, imports })
    }

    /// The properties before dynamic references are resolved, their stored form, and the exports that they use.
    #[allow(clippy::type_complexity)] // one item per result
    pub(super) fn stored(
        &self,
        cx: &Cx<'_>,
        stack: &Stack,
        content: &Content,
        row: &StackResource,
    ) -> Result<(Map<String, Value>, Map<String, Value>, BTreeSet<ExportName>), Error> {
        let evaluation = Evaluation::new(self.template(stack, content)?, content, &stack.uuid)?;
        let environment = scope::StackEnvironment::new(cx.tx, cx.config, Some((&stack.uuid, cx.cloud())));
        let pseudo = scope::pseudo(cx.config, &stack.arn, &stack.name);
        let scope = evaluation.scope(&pseudo, &environment)?;
        let real = scope.properties(&row.logical_id)?;
        let stored = evaluation.stored(&scope, &row.logical_id)?;
        Ok((real, stored, environment.imports.take()))
    }

    /// All resources have the stack's content, so the outputs are known. Completes a creation, or starts the clean-up of an update.
    pub(super) fn complete(&self, stack: &Stack) -> Result<(), AwsError> {
        let done = self.record(|cx| {
            if !CHANGING.contains(&stack.phase) || !is_current(cx, stack) {
                return Ok(());
            }
            let content = find::content(cx.tx, stack)?;
            let (outputs, imports) = self.outputs(cx, stack, &content.content)?;
            cx.tx.update::<Stack, _>(&stack.uuid, |s| {
                (s.outputs, s.imports) = (outputs, imports);
                // After an update the old content stays the stable one until the clean-up: the parent of a nested stack may
                // return to it.
                if stack.phase != Phase::Updating {
                    s.stable = Some(s.content);
                }
            });
            let phase = match stack.phase {
                Phase::Updating => Phase::UpdateCleanup,
                Phase::UpdateRollingBack => Phase::UpdateRollbackCleanup,
                _ => Phase::Created,
            };
            events::enter(cx.tx, &stack.uuid, phase, None, cx.now);
            Ok(())
        });
        match done {
            // An output that cannot be evaluated stays wrong, so it fails the stack; an internal error is retried.
            Err(error) if error.status < 500 => self.give_up(stack, Some(&format!("{}. ", error.message))),
            other => other,
        }
    }

    /// The outputs, and all exports of other stacks that the stack uses.
    pub(super) fn outputs(
        &self,
        cx: &mut Cx<'_>,
        stack: &Stack,
        content: &Content,
    ) -> Result<(Vec<StackOutput>, BTreeSet<ExportName>), Error> {
        let evaluation = Evaluation::new(self.template(stack, content)?, content, &stack.uuid)?;
        let environment = scope::StackEnvironment::new(cx.tx, cx.config, Some((&stack.uuid, cx.cloud())));
        let pseudo = scope::pseudo(cx.config, &stack.arn, &stack.name);
        let scope = evaluation.scope(&pseudo, &environment)?;
        let values = scope.outputs()?;
        for planned in &content.resources {
            scope.properties(&planned.logical_id)?;
        }
        let imports = environment.imports.take();
        let template = Arc::clone(&evaluation.template);
        let output = |(key, (value, export)): (String, (String, Option<String>))| StackOutput {
            description: template.outputs.get(&key).and_then(|o| o.description.clone()),
            key: key.into(),
            value,
            export: export.map(ExportName),
        };
        let outputs: Vec<StackOutput> = values.into_iter().map(output).collect();
        export(cx, stack, &outputs)?;
        Ok((outputs, imports))
    }

    /// Ends a failed creation or update: marks resources in progress as failed and applies the stack's `OnFailure`.
    pub(super) fn give_up(&self, stack: &Stack, why: Option<&str>) -> Result<(), AwsError> {
        self.record(|cx| {
            if CHANGING.contains(&stack.phase) && is_current(cx, stack) {
                fail(cx, stack, why)?;
            }
            Ok(())
        })
    }
}

/// Ends the work on the stack's content, which has failed or was cancelled.
pub(crate) fn fail(cx: &mut Cx<'_>, stack: &Stack, why: Option<&str>) -> Result<(), Error> {
    let now = cx.now;
    let (mut created, mut updated) = (Vec::new(), Vec::new());
    for row in find::resources(cx.tx, &stack.uuid).into_iter().filter(|row| row.is_current()) {
        let mut row = (*row).clone();
        let cancelled = match row.state {
            // The row keeps its physical id, so the rollback deletes the resource or changes it back.
            ResourceState::Creating => Some((ResourceState::CreateFailed, "Resource creation cancelled")),
            ResourceState::Updating => Some((ResourceState::UpdateFailed, "Resource update cancelled")),
            _ => None,
        };
        if let Some((state, reason)) = cancelled {
            (row.state, row.since, row.waiting_for) = (state, now, None);
            row.reason = Some(reason.to_owned());
            cx.tx.put(row.clone());
            events::resource(cx.tx, &row, row.reason.clone(), now);
        }
        match row.state {
            ResourceState::CreateFailed => created.push(row.logical_id),
            ResourceState::UpdateFailed if plan::has_failed(&row) => updated.push(row.logical_id),
            _ => {}
        }
    }
    let words = |verb: &str, failed: &[_]| match failed {
        [] => String::new(),
        failed => format!("The following resource(s) failed to {verb}: [{}]. ", failed.join(", ")),
    };
    let why = why.map_or_else(|| words("create", &created) + &words("update", &updated), str::to_owned);
    let enter = |cx: &mut Cx<'_>, phase, request: &str| {
        events::enter(cx.tx, &stack.uuid, phase, Some(format!("{why}{request}")), now);
        Ok(())
    };
    match (stack.phase, stack.on_failure) {
        (Phase::UpdateRollingBack, _) => enter(cx, Phase::UpdateRollbackFailed, ""),
        (Phase::Updating, OnFailure::DoNothing) => enter(cx, Phase::UpdateFailed, ""),
        (Phase::Updating, _) => update::rollback(cx, stack, why),
        (_, OnFailure::Rollback) => enter(cx, Phase::RollingBack, "Rollback requested by user."),
        (_, OnFailure::Delete) => enter(cx, Phase::Deleting, "Delete requested by user."),
        (_, OnFailure::DoNothing) => enter(cx, Phase::CreateFailed, ""),
    }
}

/// The content that a resource of a type gets.
pub(super) struct Goal<'a> {
    pub(super) stack: &'a Stack,
    pub(super) content: &'a StackContent,
    pub(super) kind: ResourceType,
}

impl Goal<'_> {
    /// Lets the service create the resource with these properties.
    pub(super) fn create(
        &self,
        cx: &mut Cx<'_>,
        row: &StackResource,
        properties: &Map<String, Value>,
    ) -> Result<Created, Error> {
        let tags = scope::tags(self.stack, &self.content.content.tags, &row.logical_id);
        let (stack_name, logical_id) = (self.stack.name.as_str(), row.logical_id.as_str());
        let props = Props { values: properties, stack_name, logical_id, stack_tags: &tags };
        Ok((self.kind.create)(cx, &props)?)
    }

    /// Records what the service has created for the row.
    pub(super) fn enter(
        &self,
        cx: &mut Cx<'_>,
        row: &mut StackResource,
        created: Created,
        evaluated: Evaluated,
        reason: &str,
    ) {
        import(cx, self.stack, evaluated.imports);
        (row.since, row.applied) = (cx.now, self.content.number);
        row.physical_id = Some(created.physical_id.into());
        (row.attributes, row.private) = (created.attributes, created.private);
        (row.properties, row.tags) = (evaluated.stored, self.content.content.tags.clone());
        row.reason = Some(reason.to_owned());
        cx.tx.put(row.clone());
        events::resource(cx.tx, row, row.reason.clone(), cx.now);
    }
}

/// Notes that the stack uses these exports, so that no other stack removes them.
pub(super) fn import(cx: &mut Cx<'_>, stack: &Stack, imports: BTreeSet<ExportName>) {
    let known = cx.tx.get::<Stack>(&stack.uuid).is_some_and(|s| imports.is_subset(&s.imports));
    if !known {
        cx.tx.update::<Stack, _>(&stack.uuid, |s| s.imports.extend(imports));
    }
}

/// Writes the stack's exports. One that another stack uses must neither change nor disappear.
fn export(cx: &mut Cx<'_>, stack: &Stack, outputs: &[StackOutput]) -> Result<(), Error> {
    let exported = outputs.iter().filter_map(|output| Some((output.export.clone()?, output.value.clone())));
    let mut left: Vec<Arc<Export>> = cx.tx.scan::<Export>().filter(|e| e.stack == stack.uuid).collect();
    for (name, value) in exported {
        left.retain(|old| old.name != name);
        if let Some(old) = cx.tx.get::<Export>(&name) {
            // As on AWS, the name of an export is unique in the region.
            if old.stack != stack.uuid {
                let owner = cx.tx.get::<Stack>(&old.stack).map(|s| s.name.clone()).unwrap_or_default();
                let message = format!("Export with name {name} is already exported by stack {owner}");
                return Err(Error::invalid(message));
            }
            if old.value != value {
                unused(cx, stack, &name, "updated")?;
            }
        }
        cx.tx.put(Export { name, value, stack: stack.uuid.clone() });
    }
    for old in left {
        unused(cx, stack, &old.name, "deleted")?;
        cx.tx.delete::<Export>(&old.name);
    }
    Ok(())
}

fn unused(cx: &Cx<'_>, stack: &Stack, export: &ExportName, verb: &str) -> Result<(), Error> {
    // A stack that imports its own export does not block its change.
    match find::importers(cx.tx, export).into_iter().find(|user| *user != stack.name) {
        Some(user) => {
            Err(Error::invalid(format!("Export {export} cannot be {verb} as it is in use by {user}")))
        }
        None => Ok(()),
    }
}

/// The reason of an event: an error of CloudFormation itself as it is, one of another service as a handler's message.
pub(super) fn reason(error: &AwsError) -> String {
    if error.code == "ValidationError" { error.message.clone() } else { refused(error) }
}

/// The resource's row if it must still be created. The plan may be outdated.
fn startable(cx: &Cx<'_>, stack: &Stack, which: &Which) -> Option<StackResource> {
    let row = which.read(cx.tx, stack).filter(|row| row.state == ResourceState::Waiting)?;
    may_go_on(cx, stack).then(|| (*row).clone())
}

/// Whether work on another resource may start. After one failure it may not, also within the same step, except in a rollback.
pub(super) fn may_go_on(cx: &Cx<'_>, stack: &Stack) -> bool {
    let failed =
        || find::resources(cx.tx, &stack.uuid).iter().any(|row| row.is_current() && plan::has_failed(row));
    is_current(cx, stack) && (stack.phase == Phase::UpdateRollingBack || !failed())
}

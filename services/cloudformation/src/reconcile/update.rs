//! The steps that compare a resource with the stack's content and change or replace it.

use super::{
    Stacks, Which,
    create::{Evaluated, Goal, INITIATED, import, may_go_on, reason},
    created, plan,
};
use crate::{
    Error,
    difference::{Difference, Replacement},
    error,
    evaluation::Evaluation,
    events, find, nested, scope,
};
use escale_base::{AwsError, ErrorKind};
use escale_service::{Cx, Props, Readiness, Update};
use escale_tables::cloudformation::{
    Content, ExportName, Phase, ResourceState, ResourceStatus, Role, Stack, StackResource,
};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

impl Stacks {
    /// Settles in one commit all resources that have the content's properties already, because an update changes few resources of
    /// a large stack. One that cannot be evaluated is left to its own action, which records why.
    pub(super) fn settle_unchanged(&self, stack: &Stack) -> Result<(), AwsError> {
        self.record(|cx| {
            if !may_go_on(cx, stack) {
                return Ok(());
            }
            let content = find::content(cx.tx, stack)?;
            // A settled resource can make the values of those that refer to it known.
            loop {
                let unchanged = self.unchanged(cx, stack, &content.content)?;
                if unchanged.is_empty() {
                    return Ok(());
                }
                for (mut row, imports) in unchanged {
                    import(cx, stack, imports);
                    settle(cx, stack, &mut row);
                }
            }
        })
    }

    /// The resources that may start now and do not differ from the content, and the exports that they use.
    fn unchanged(
        &self,
        cx: &Cx<'_>,
        stack: &Stack,
        content: &Content,
    ) -> Result<Vec<(StackResource, BTreeSet<ExportName>)>, Error> {
        let evaluation = Evaluation::new(self.template(stack, content)?, content, &stack.uuid)?;
        let environment = scope::StackEnvironment::new(cx.tx, cx.config, Some((&stack.uuid, cx.cloud())));
        let pseudo = scope::pseudo(cx.config, &stack.arn, &stack.name);
        let scope = evaluation.scope(&pseudo, &environment)?;
        let rows = find::resources(cx.tx, &stack.uuid);
        let settled: BTreeSet<_> =
            rows.iter().filter(|r| r.is_current() && r.is_settled()).map(|r| &r.logical_id).collect();
        let mut unchanged = Vec::new();
        for row in
            rows.iter().filter(|row| is_compared(row) && row.needs.iter().all(|id| settled.contains(id)))
        {
            environment.imports.take();
            let Ok(kind) = self.kind(row) else { continue };
            let stored = evaluation.stored(&scope, &row.logical_id);
            let Ok(stored) = scope.properties(&row.logical_id).and(stored) else { continue };
            let difference = Difference::new(&kind, (&row.properties, &row.tags), (&stored, &content.tags));
            if difference.is_empty() && !goes_back(cx, stack, row) {
                unchanged.push(((**row).clone(), environment.imports.take()));
            }
        }
        Ok(unchanged)
    }

    /// Gives a resource its new properties. The service's rows and the resource's row change in one commit.
    pub(super) fn update(&self, stack: &Stack, which: &Which) -> Result<(), AwsError> {
        let done = self.transact(stack, |cx| self.update_in(cx, stack, which).map_err(AwsError::from));
        let Err(error) = done else { return Ok(()) };
        let mut again = error::is_transient(&error);
        self.record(|cx| {
            let Some(mut row) = changeable(cx, stack, which) else { return Ok(()) };
            let tried = row.waiting_for.is_some();
            again &= !(tried && cx.now >= row.since.plus_ms(plan::REFUSED_MS));
            // Nothing new to record: a write would wake the engine at once instead of after its pause.
            if again && row.waiting_for.as_ref() == Some(&error.message) {
                return Ok(());
            }
            if !tried {
                row.since = cx.now;
                events::record(cx.tx, &row, ResourceStatus::UpdateInProgress, None, cx.now);
            }
            if again {
                row.waiting_for = Some(error.message.clone());
                cx.tx.put(row);
                return Ok(());
            }
            (row.state, row.pending, row.since, row.waiting_for) =
                (ResourceState::UpdateFailed, false, cx.now, None);
            row.reason = Some(reason(&error));
            cx.tx.put(row.clone());
            events::resource(cx.tx, &row, row.reason.clone(), cx.now);
            Ok(())
        })?;
        if again { Err(error) } else { Ok(()) }
    }

    fn update_in(&self, cx: &mut Cx<'_>, stack: &Stack, which: &Which) -> Result<(), Error> {
        let Some(mut row) = changeable(cx, stack, which) else { return Ok(()) };
        let kind = self.kind(&row)?;
        let content = find::content(cx.tx, stack)?;
        let (_, stored, imports) = self.stored(cx, stack, &content.content, &row)?;
        let tags = &content.content.tags;
        let difference = Difference::new(&kind, (&row.properties, &row.tags), (&stored, tags));
        if difference.is_empty() && !goes_back(cx, stack, &row) {
            import(cx, stack, imports);
            settle(cx, stack, &mut row);
            return Ok(());
        }
        let evaluated = self.evaluated(cx, stack, &content.content, &row, &kind)?;
        let effect = difference.effect(&kind, &row.properties, &stored);
        let goal = Goal { stack, content: &content, kind };
        // A rollback never replaces: the resource that it returns to exists, and a new one would be without its data.
        if effect == Replacement::True && stack.phase == Phase::Updating {
            return replace(cx, &goal, &row, evaluated);
        }
        change(cx, &goal, row, evaluated, &difference)
    }
}

/// Whether the resource exists and must still be compared with the content.
fn is_compared(row: &StackResource) -> bool {
    let in_progress =
        matches!(row.state, ResourceState::Waiting | ResourceState::Creating | ResourceState::Updating);
    row.is_current() && row.pending && !in_progress
}

/// Whether the resource is a nested stack that has not returned to its old content. A rollback that is repeated finds the old
/// properties in its row already.
fn goes_back(cx: &Cx<'_>, stack: &Stack, row: &StackResource) -> bool {
    stack.phase == Phase::UpdateRollingBack && nested::is_between(cx.tx, row)
}

/// Creates the successor of a resource. The old one stays until all resources have the new content.
fn replace(cx: &mut Cx<'_>, goal: &Goal<'_>, row: &StackResource, evaluated: Evaluated) -> Result<(), Error> {
    let created = goal.create(cx, row, &evaluated.real).map_err(|error| {
        let error = AwsError::from(error);
        match (error.kind, own_name(row, &evaluated.stored)) {
            // The old resource still has the name that the template gives to the new one.
            (ErrorKind::AlreadyExists, Some(name)) => Error::invalid(format!(
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename {name} \
                 and update the stack again."
            )),
            _ => error.into(),
        }
    })?;
    let why = "Requested update requires the creation of a new physical resource; hence creating one.";
    events::record(cx.tx, row, ResourceStatus::UpdateInProgress, Some(why.into()), cx.now);
    crate::update::retire(cx.tx, row);
    let mut new = StackResource {
        version: crate::update::next_version(cx.tx, &row.stack, &row.logical_id),
        role: Role::New,
        state: ResourceState::Updating,
        pending: false,
        waiting_for: None,
        ..row.clone()
    };
    goal.enter(cx, &mut new, created, evaluated, INITIATED);
    Ok(())
}

/// The name that both the old template and the new one give to the resource. Another name that is taken, such as that of a second
/// resource, is not in the way of the replacement itself.
fn own_name(row: &StackResource, after: &Map<String, Value>) -> Option<String> {
    let physical_id = row.physical_id.as_deref()?;
    let is_name = |property: &str| property.ends_with("Name") || property.ends_with("Identifier");
    let kept = after.iter().filter(|(name, value)| is_name(name) && row.properties.get(*name) == Some(value));
    let names = kept.filter_map(|(_, value): (&String, &Value)| value.as_str());
    // A physical id is the name, or an ARN with it.
    let is_in_id = |name: &&str| {
        physical_id.eq_ignore_ascii_case(name) || physical_id.split(['/', ':']).any(|part| part == *name)
    };
    names.filter(is_in_id).max_by_key(|name| name.len()).map(str::to_owned)
}

/// Changes a resource in place.
fn change(
    cx: &mut Cx<'_>,
    goal: &Goal<'_>,
    mut row: StackResource,
    evaluated: Evaluated,
    difference: &Difference,
) -> Result<(), Error> {
    let Goal { stack, content, kind } = goal;
    let names = difference.names();
    let Some(update) = kind.update else {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let what = format!("An update of {} of {}", names.join(", "), row.type_name);
        return Err(AwsError::not_supported(what)
            .hint("Give the resource another logical id in the template, so that a new one replaces it.")
            .into());
    };
    if row.waiting_for.is_none() {
        events::record(cx.tx, &row, ResourceStatus::UpdateInProgress, None, cx.now);
    }
    let old_tags = scope::tags(stack, &row.tags, &row.logical_id);
    let new_tags = scope::tags(stack, &content.content.tags, &row.logical_id);
    let (stack_name, logical_id) = (stack.name.as_str(), row.logical_id.as_str());
    // They are stored as the template writes them, for example a port as a text.
    let stored = match escale_schema::schema(kind.name) {
        Some(schema) => schema.coerce_stored(&row.properties),
        None => row.properties.clone(),
    };
    let before = Props { values: &stored, stack_name, logical_id, stack_tags: &old_tags };
    let after = Props { values: &evaluated.real, stack_name, logical_id, stack_tags: &new_tags };
    let there = created(&row);
    let is_rollback = stack.phase == Phase::UpdateRollingBack;
    let change = Update { created: &there, before: &before, after: &after, changed: &names, is_rollback };
    let updated = update(cx, &change)?;
    import(cx, stack, evaluated.imports);
    (row.attributes, row.private) = (updated.attributes, updated.private);
    (row.properties, row.tags) = (evaluated.stored, content.content.tags.clone());
    (row.pending, row.applied, row.since) = (false, content.number, cx.now);
    (row.state, row.reason, row.waiting_for) = (ResourceState::Updating, None, None);
    // Most changes are complete at once, which saves a transaction.
    if let Readiness::Ready(attributes) = (kind.ready)(cx.tx, &created(&row)) {
        row.attributes.extend(attributes);
        row.state = ResourceState::Updated;
        events::resource(cx.tx, &row, None, cx.now);
    }
    cx.tx.put(row);
    Ok(())
}

/// Marks a resource that already has the content's properties.
fn settle(cx: &mut Cx<'_>, stack: &Stack, row: &mut StackResource) {
    // One that the failed update has touched gets an event, as on AWS. Its properties may never have changed.
    let is_touched = row.applied > stack.content || row.state == ResourceState::UpdateFailed;
    (row.pending, row.waiting_for) = (false, None);
    row.applied = row.applied.min(stack.content);
    if is_touched {
        (row.state, row.since, row.reason) = (ResourceState::Updated, cx.now, None);
        events::resource(cx.tx, row, None, cx.now);
    }
    cx.tx.put(row.clone());
}

/// The resource's row if it must still be compared with the content. The plan may be outdated.
fn changeable(cx: &Cx<'_>, stack: &Stack, which: &Which) -> Option<StackResource> {
    let row = which.read(cx.tx, stack).filter(|row| row.pending && row.is_current())?;
    may_go_on(cx, stack).then(|| (*row).clone())
}

//! `AWS::CloudFormation::Stack`: a stack that is a resource of another one.
//!
//! A nested stack is a stack of its own, which the same engine executes. Its parent starts its creation, updates and deletion, and
//! waits for them. After an update it keeps what the update replaced until its parent has succeeded, so that a failed parent can
//! return it to its old content.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-nested-stacks.html>

pub(crate) mod change_sets;
mod templates;

pub(crate) use templates::{Templates, with_templates};

use crate::{
    Error,
    accept::{self, Wanted},
    begin, deletion, events, find,
    shapes::ParameterShape,
    status,
    template::{self, Origin},
    update,
};
use escale_base::{AwsError, Tag, wire::Value};
use escale_service::{Created, Cx, Props, Readiness, ResourceType, Update};
use escale_store::Image;
use escale_tables::cloudformation::{
    Content, Nested, OnFailure, ParameterKey, Phase, ResourceState, ResourceStatus, Role, Stack, StackArn,
    StackEvent, StackName, StackResource, StackUuid, TemplateUrl,
};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, sync::Arc};

/// `NotificationARNs` is missing: Escale has no SNS.
const PROPERTIES: &[&str] = &["Parameters", "Tags", "TemplateURL", "TimeoutInMinutes"];

/// A stored property that is not in the template: the digest of all templates below the stack. It differs if a template in S3 was
/// overwritten, which AWS notices, too.
pub(crate) const DIGEST: &str = "TemplateDigest";

/// The prefix of the attributes that are outputs.
const OUTPUTS: &str = "Outputs.";

pub(crate) fn resource_type() -> ResourceType {
    ResourceType::new(events::STACK, PROPERTIES, create, delete).ready(ready).gone(gone).update(change)
}

pub(crate) fn digest(content: &Content) -> Value {
    let mut digest = Sha256::new();
    for (url, text) in &content.templates {
        for part in [url.as_str(), text] {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
    }
    format!("{:x}", digest.finalize()).into()
}

/// The stack above all: the stack itself, or the root of a nested one if it still exists.
pub(crate) fn root(image: &Image, stack: &Arc<Stack>) -> Arc<Stack> {
    let root = stack.nested.as_ref().and_then(|nested| find::stack_if_any(image, &nested.root));
    root.unwrap_or_else(|| Arc::clone(stack))
}

fn parent_of(image: &Image, stack: &Stack) -> Option<Arc<Stack>> {
    find::stack_if_any(image, &stack.nested.as_ref()?.parent)
}

/// Whether the stack must keep what its update replaced: its parent may still fail and return it to its old content.
pub(crate) fn is_held(image: &Image, stack: &Stack) -> bool {
    let undecided = [Phase::Updating, Phase::UpdateRollingBack, Phase::UpdateRollbackFailed];
    parent_of(image, stack)
        .is_some_and(|parent| undecided.contains(&parent.phase) || is_held_itself(image, &parent))
}

/// A parent that has succeeded, but is held by its own parent.
fn is_held_itself(image: &Image, parent: &Stack) -> bool {
    parent.phase == Phase::UpdateCleanup && is_held(image, parent)
}

/// A nested stack that still works. Its parent is complete only after it.
pub(crate) fn busy_child(image: &Image, parent: &Stack) -> Option<Arc<Stack>> {
    let is_child = |stack: &Stack| stack.nested.as_ref().is_some_and(|nested| nested.parent == parent.arn);
    image.scan::<Stack>().find(|stack| stack.phase.is_busy() && is_child(stack))
}

/// The parent of the nested stack that has these properties.
fn parent(cx: &Cx<'_>, props: &Props<'_>) -> Result<Arc<Stack>, Error> {
    let id = props.stack_tags.iter().find(|tag| tag.key == "aws:cloudformation:stack-id");
    let id = id.ok_or_else(AwsError::internal)?;
    find::stack(cx.tx, &id.value)
}

/// The content of a nested stack by its properties and its parent's content.
fn wanted(above: &Content, props: &Props<'_>, for_change_set: bool) -> Result<(Wanted, Templates), Error> {
    let templates = &above.templates;
    let url = TemplateUrl(props.text("TemplateURL")?.to_owned());
    let template = templates.get(&url).ok_or_else(|| {
        AwsError::not_supported(format_args!(
            "The TemplateURL {url}, which was not known when the template of stack {} was accepted,",
            props.stack_name
        ))
        .hint("Use a URL of literals, parameters, mappings and pseudo parameters.")
    })?;
    let mut tags: Vec<Tag> = props.tags()?;
    tags.retain(|tag| !tag.key.starts_with("aws:"));
    let given: BTreeMap<String, Value> = match props.get("Parameters") {
        Some(Value::Object(values)) => values.clone().into_iter().collect(),
        _ => BTreeMap::new(),
    };
    let parameter = |(name, value): (String, Value)| {
        let text = template::evaluate::text_of(&value).ok_or_else(|| {
            Error::invalid(format!("Value of property Parameters must be an object with String (or simple type) properties ({name})"))
        })?;
        Ok(ParameterShape {
            parameter_key: Some(ParameterKey(name)),
            parameter_value: Some(text),
            ..ParameterShape::default()
        })
    };
    let wanted = Wanted {
        template: template.clone(),
        origin: Origin::File,
        parameters: given.into_iter().map(parameter).collect::<Result<_, Error>>()?,
        capabilities: above.capabilities.clone(),
        tags,
        for_change_set,
    };
    Ok((wanted, Templates::of(templates.clone())))
}

fn create(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    Ok(create_in(cx, props)?)
}

fn create_in(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, Error> {
    let parent = parent(cx, props)?;
    let (wanted, templates) = wanted(&find::content(cx.tx, &parent)?.content, props, false)?;
    let (identity, change_set) = match change_sets::executed(cx, &parent, props.logical_id) {
        Some((set, made)) => ((made.uuid.clone(), made.arn.clone(), made.name.clone()), Some(set)),
        None => (new_identity(cx, props)?, None),
    };
    let (content, imports) = accept::content(cx, wanted, &templates, (&identity.1, &identity.2), None)?;
    let stack = Stack {
        imports,
        nested: Some(place_below(&parent)),
        change_set,
        // What a failed creation leaves is deleted by the parent, if it rolls back.
        on_failure: OnFailure::DoNothing,
        retain_except_on_create: parent.retain_except_on_create,
        timeout_minutes: props.read("TimeoutInMinutes")?,
        token: parent.token.clone(),
        // The principal of this step is that of the parent.
        role: parent.role.clone(),
        ..begin::stack(cx, identity)
    };
    let arn = stack.arn.clone();
    begin::creation(cx, stack, content);
    Ok(Created::new(arn))
}

/// No property names a nested stack, so its name is always generated.
fn new_identity(cx: &Cx<'_>, props: &Props<'_>) -> Result<(StackUuid, StackArn, StackName), Error> {
    begin::identity(cx, &StackName(props.name_or_generated("StackName", 128)))
}

fn place_below(parent: &Stack) -> Nested {
    let root = parent.nested.as_ref().map_or(&parent.arn, |nested| &nested.root).clone();
    Nested { parent: parent.arn.clone(), root }
}

fn change(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let parent = parent(cx, update.after)?;
    let stack = find::stack(cx.tx, &update.created.physical_id)?;
    if parent.phase == Phase::UpdateRollingBack {
        go_back(cx, &parent, &stack, update.after)?;
    } else {
        go_on(cx, &parent, &stack, update.after)?;
    }
    let mut created = update.created.clone();
    // The outputs of the new content are known when it is complete.
    created.attributes.retain(|name, _| !name.starts_with(OUTPUTS));
    Ok(created)
}

/// Whether a resource is a nested stack that is between two contents.
pub(crate) fn is_between(image: &Image, row: &StackResource) -> bool {
    let stack = || find::stack_if_any(image, row.physical_id.as_deref()?);
    let is_between = |phase: Phase| {
        phase.is_updating() || matches!(phase, Phase::UpdateFailed | Phase::UpdateRollbackFailed)
    };
    row.type_name == events::STACK && stack().is_some_and(|stack| is_between(stack.phase))
}

/// Starts an update to the content that the parent has now.
fn go_on(cx: &mut Cx<'_>, parent: &Stack, stack: &Stack, props: &Props<'_>) -> Result<(), Error> {
    if stack.phase.is_busy() {
        // A user may update a nested stack directly.
        let status = status::stack(stack.phase);
        return Err(Error::Busy(format!("Stack:{} is in {status} state and can not be updated.", stack.arn)));
    }
    update::updatable(stack)?;
    let (wanted, templates) = wanted(&find::content(cx.tx, parent)?.content, props, false)?;
    let old = find::content(cx.tx, stack)?;
    let (content, _) = accept::content(cx, wanted, &templates, (&stack.arn, &stack.name), None)?;
    if !update::is_to_repeat(stack.phase) && accept::is_same(&content, &old.content) {
        return Ok(());
    }
    let change_set = change_sets::executed(cx, parent, props.logical_id).map(|(set, _)| set);
    let on_failure = match parent.on_failure {
        OnFailure::DoNothing => OnFailure::DoNothing,
        OnFailure::Rollback | OnFailure::Delete => OnFailure::Rollback,
    };
    let stack = Stack {
        on_failure,
        change_set: change_set.or_else(|| stack.change_set.clone()),
        retain_except_on_create: parent.retain_except_on_create,
        token: parent.token.clone(),
        principal: begin::principal(cx.caller),
        role: parent.role.clone(),
        timeout_minutes: props.read("TimeoutInMinutes")?,
        ..stack.clone()
    };
    update::apply(cx.cloud(), cx, stack, content)
}

/// Returns to the content before the parent's failed update.
fn go_back(cx: &mut Cx<'_>, parent: &Stack, stack: &Stack, props: &Props<'_>) -> Result<(), Error> {
    match stack.phase {
        Phase::Updating | Phase::UpdateCleanup | Phase::UpdateFailed | Phase::UpdateRollbackFailed => {
            let is_cleaned = |row: &Arc<_>| is_partly_cleaned(row);
            if find::resources(cx.tx, &stack.uuid).iter().any(is_cleaned) {
                // Its parent kept the failed update, so it was not held. It updates back when it is complete.
                return Err(Error::Busy(format!("Stack:{} is being cleaned up.", stack.arn)));
            }
            let changed = Stack { principal: begin::principal(cx.caller), ..stack.clone() };
            cx.tx.put(changed.clone());
            update::rollback(cx, &changed, "Rollback of the parent stack.".into())
        }
        // It has failed by itself.
        Phase::UpdateRollingBack | Phase::UpdateRollbackCleanup | Phase::UpdateRolledBack => Ok(()),
        _ => go_on(cx, parent, stack, props),
    }
}

fn is_partly_cleaned(row: &StackResource) -> bool {
    row.role == Role::Old
        && matches!(
            row.state,
            ResourceState::Deleting { .. }
                | ResourceState::Deleted
                | ResourceState::DeleteFailed
                | ResourceState::Retained
        )
}

/// The status and the reason with which the stack's last operation began to fail. Its present ones may be those of a rollback
/// that has gone on since.
fn failure(image: &Image, stack: &Stack) -> (ResourceStatus, String) {
    let began = [
        ResourceStatus::UpdateRollbackInProgress,
        ResourceStatus::UpdateRollbackFailed,
        ResourceStatus::UpdateFailed,
        ResourceStatus::RollbackInProgress,
        ResourceStatus::CreateFailed,
    ];
    let events: Vec<_> = image.prefix::<StackEvent>(&format!("{}/", stack.uuid)).collect();
    let own = |event: &&std::sync::Arc<StackEvent>| {
        event.type_name == events::STACK && event.physical_id == *stack.arn && began.contains(&event.status)
    };
    match events.iter().rev().find(own) {
        Some(event) => (event.status, event.reason.clone().unwrap_or_default()),
        None => (status::stack_event(stack.phase), stack.reason.clone().unwrap_or_default()),
    }
}

/// Whether a creation or an update that its parent has started is complete.
fn ready(image: &Image, created: &Created) -> Readiness {
    let arn = &created.physical_id;
    let Some(stack) = find::stack_if_any(image, arn) else {
        return Readiness::Failed(format!("Stack [{arn}] does not exist"));
    };
    let parent = parent_of(image, &stack);
    let goes_back = parent.as_ref().is_some_and(|parent| parent.phase == Phase::UpdateRollingBack);
    // One that was rolled back earlier and has not changed since is complete.
    let is_of_this_update = parent.is_some_and(|parent| parent.executed <= stack.executed);
    match stack.phase {
        Phase::Created | Phase::Updated | Phase::UpdateCleanup => Readiness::Ready(outputs(&stack)),
        Phase::UpdateRolledBack if goes_back || !is_of_this_update => Readiness::Ready(outputs(&stack)),
        Phase::UpdateRollingBack | Phase::UpdateRollbackCleanup if goes_back => waiting(image, &stack),
        Phase::Creating | Phase::Updating => waiting(image, &stack),
        Phase::UpdateFailed
        | Phase::UpdateRollingBack
        | Phase::UpdateRollbackFailed
        | Phase::UpdateRollbackCleanup
        | Phase::UpdateRolledBack => {
            let (status, reason) = failure(image, &stack);
            Readiness::Failed(format!(
                "Embedded stack {arn} was not successfully updated. Currently in {status} with reason: {reason}"
            ))
        }
        _ => {
            let (_, reason) = failure(image, &stack);
            Readiness::Failed(format!("Embedded stack {arn} was not successfully created: {reason}"))
        }
    }
}

fn outputs(stack: &Stack) -> BTreeMap<String, Value> {
    let output = |o: &escale_tables::cloudformation::StackOutput| {
        (format!("{OUTPUTS}{}", o.key), Value::from(o.value.clone()))
    };
    stack.outputs.iter().map(output).collect()
}

/// Not complete, with the first reason of a resource, so that a failing one is seen at the root.
fn waiting(image: &Image, stack: &Stack) -> Readiness {
    let rows = find::resources(image, &stack.uuid);
    let reasons: Vec<(&str, &str)> =
        rows.iter().filter_map(|row| Some((row.logical_id.as_str(), row.waiting_for.as_deref()?))).collect();
    let failing = reasons.iter().find_map(|(id, why)| Some((id, why.strip_prefix(Readiness::FAILING)?)));
    match (failing, reasons.first()) {
        (Some((id, why)), _) => Readiness::failing(&format!("{}/{id}: {why}", stack.name)),
        (None, Some((id, why))) => Readiness::Pending(format!("{}/{id}: {why}", stack.name)),
        (None, None) => Readiness::Pending(format!("{} is {}", stack.name, status::stack(stack.phase))),
    }
}

fn delete(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let Some(stack) = find::stack_if_any(cx.tx, &created.physical_id) else { return Ok(()) };
    if stack.phase.is_updating() {
        // A user updates it directly, or its clean-up goes on.
        return Err(Error::Busy(format!("Stack:{} is being updated", stack.arn)).into());
    }
    if matches!(stack.phase, Phase::Deleting | Phase::Deleted) {
        return Ok(());
    }
    deletion::unused(cx, &stack)?;
    deletion::retry_failed(cx, &stack, &[])?;
    let principal = begin::principal(cx.caller);
    cx.tx.update::<Stack, _>(&stack.uuid, |s| s.principal = principal);
    events::enter(cx.tx, &stack.uuid, Phase::Deleting, Some(begin::BY_USER.into()), cx.now);
    Ok(())
}

fn gone(image: &Image, created: &Created) -> Readiness {
    let arn = &created.physical_id;
    let Some(stack) = find::stack_if_any(image, arn) else { return Readiness::ready() };
    match stack.phase {
        Phase::Deleted => Readiness::ready(),
        Phase::DeleteFailed => Readiness::Failed(format!(
            "Embedded stack {arn} was not successfully deleted: {}",
            stack.reason.clone().unwrap_or_default()
        )),
        _ => waiting(image, &stack),
    }
}

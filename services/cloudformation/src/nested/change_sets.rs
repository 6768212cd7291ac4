//! The change sets of nested stacks, which a change set of their root makes, and which are executed and deleted with it.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/change-sets-for-nested-stacks.html>

use super::{new_identity, place_below, wanted};
use crate::{
    Error, accept, begin, changes, events, find,
    predict::{self, Effect, Predicted},
    update,
};
use escale_base::{AwsError, ids};
use escale_service::{Cx, Props};
use escale_store::{Row, Tx};
use escale_tables::cloudformation::{
    ChangeSet, ChangeSetAbove, ChangeSetArn, ChangeSetName, ChangeSetPhase, ChangeSetUuid, Content,
    LogicalId, Phase, Stack, StackContent, StackEvent, StackUuid,
};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, sync::Arc};

/// Adds the change sets of the nested stacks that a change set adds or changes.
pub(crate) fn add(cx: &mut Cx<'_>, set: &mut ChangeSet, predicted: &[Predicted]) -> Result<(), Error> {
    let parent = cx.tx.get::<Stack>(&set.stack).ok_or_else(AwsError::internal)?;
    for one in predicted {
        let Some(properties) = one.nested.as_ref().filter(|_| !matches!(one.effect, Effect::Remove(_)))
        else {
            continue;
        };
        // The parameters are checked against the nested template, so all must be known.
        if has_unknown(properties) {
            continue;
        }
        if let Some(made) = of_one(cx, set, &parent, one, properties)? {
            set.nested.insert(one.logical_id.clone(), made);
        }
    }
    changes::link(&mut set.changes, &set.nested);
    Ok(())
}

fn has_unknown(properties: &Map<String, Value>) -> bool {
    let parameters = properties.get("Parameters").and_then(Value::as_object);
    parameters.is_some_and(|values| values.values().any(Value::is_null))
        || properties.get("TemplateURL").is_none_or(Value::is_null)
}

/// `None` if nothing changes in the nested stack.
fn of_one(
    cx: &mut Cx<'_>,
    set: &ChangeSet,
    parent: &Stack,
    predicted: &Predicted,
    properties: &Map<String, Value>,
) -> Result<Option<ChangeSetArn>, Error> {
    let props = Props {
        values: properties,
        stack_name: &parent.name,
        logical_id: &predicted.logical_id,
        stack_tags: &set.content.tags,
    };
    let (wanted, templates) = wanted(&set.content, &props, true)?;
    let there = predicted.physical_id.as_ref().map(|id| find::stack(cx.tx, id)).transpose()?;
    let identity = match &there {
        Some(stack) => (stack.uuid.clone(), stack.arn.clone(), stack.name.clone()),
        None => new_identity(cx, &props)?,
    };
    let (content, _) = accept::content(cx, wanted, &templates, (&identity.1, &identity.2), None)?;
    if let Some(stack) = &there {
        update::updatable(stack)?;
        if accept::is_same(&content, &find::content(cx.tx, stack)?.content) {
            return Ok(None);
        }
        update::same_types(cx, stack, &content)?;
    }
    let stack = match there {
        Some(stack) => (*stack).clone(),
        None => {
            let stack = Stack { nested: Some(place_below(parent)), ..begin::stack(cx, identity) };
            review(cx, &stack, &content);
            stack
        }
    };
    Ok(Some(put(cx, set, &stack, predicted, content)?))
}

/// Writes a stack that has only change sets yet.
pub(crate) fn review(cx: &mut Cx<'_>, stack: &Stack, content: &Content) {
    // The template stays in the change set until it is executed.
    let shown = Content { description: content.description.clone(), ..Content::default() };
    begin::put_content(cx.tx, stack, shown);
    cx.tx.put(stack.clone());
    events::enter(cx.tx, &stack.uuid, Phase::Review, Some(begin::BY_USER.into()), cx.now);
}

fn put(
    cx: &mut Cx<'_>,
    above: &ChangeSet,
    stack: &Stack,
    of: &Predicted,
    content: Content,
) -> Result<ChangeSetArn, Error> {
    let uuid = ChangeSetUuid(ids::random_uuid());
    let name = name(above, &of.logical_id);
    let arn = ChangeSetArn(cx.arn("cloudformation", format!("changeSet/{name}/{uuid}")).to_string());
    let predicted = predict::predict(cx.cloud(), cx.tx, cx.config, stack, &content)?;
    let root = above.above.as_ref().map_or(&above.arn, |place| &place.root).clone();
    let mut set = ChangeSet {
        uuid,
        arn: arn.clone(),
        name,
        stack: stack.uuid.clone(),
        content,
        changes: changes::of(&predicted),
        phase: ChangeSetPhase::Available,
        above: Some(ChangeSetAbove { parent: above.arn.clone(), root }),
        nested: BTreeMap::new(),
        imports: BTreeMap::new(),
        token: None,
        ..above.clone()
    };
    add(cx, &mut set, &predicted)?;
    cx.tx.put(set);
    Ok(arn)
}

/// `<change set>-<logical id>-<random>`, as AWS's.
fn name(above: &ChangeSet, logical: &LogicalId) -> ChangeSetName {
    let tail = ids::random_upper(12);
    let mut head = format!("{}-{logical}", above.name);
    head.truncate(128 - tail.len() - 1);
    ChangeSetName(format!("{}-{tail}", head.trim_end_matches('-')))
}

/// Marks the change set that the parent's executed one has for a nested stack as executed, too. `None` if there is none.
pub(super) fn executed(cx: &mut Cx<'_>, parent: &Stack, logical: &str) -> Option<(ChangeSetArn, Arc<Stack>)> {
    let (_, above) = find::change_set(cx.tx, parent.change_set.as_deref()?, None).ok()?;
    let (stack, set) = find::change_set(cx.tx, above.nested.get(logical)?, None).ok()?;
    if set.phase != ChangeSetPhase::Available {
        return None;
    }
    let arn = set.arn.clone();
    cx.tx.put(ChangeSet { phase: ChangeSetPhase::Executed, ..(*set).clone() });
    Some((arn, stack))
}

/// Deletes a change set, those of nested stacks that were not executed, and stacks that have no other.
pub(crate) fn discard(tx: &mut Tx, set: &ChangeSet) {
    discard_below(tx, set);
    tx.delete::<ChangeSet>(&set.key());
}

/// The same for the nested stacks only.
pub(crate) fn discard_below(tx: &mut Tx, set: &ChangeSet) {
    for arn in set.nested.values() {
        let Ok((stack, below)) = find::change_set(tx, arn, None) else { continue };
        if below.phase == ChangeSetPhase::Executed {
            continue;
        }
        discard(tx, &below);
        let has_other = tx.prefix::<ChangeSet>(&format!("{}/", stack.uuid)).next().is_some();
        if stack.phase == Phase::Review && !has_other {
            forget(tx, &stack.uuid);
        }
    }
}

/// Removes a nested stack that was never created.
fn forget(tx: &mut Tx, stack: &StackUuid) {
    let below = format!("{stack}/");
    for content in tx.prefix::<StackContent>(&below).collect::<Vec<_>>() {
        tx.delete::<StackContent>(&content.key());
    }
    for event in tx.prefix::<StackEvent>(&below).collect::<Vec<_>>() {
        tx.delete::<StackEvent>(&event.key());
    }
    tx.delete::<escale_tables::cloudformation::EventCount>(stack);
    tx.delete::<Stack>(stack);
}

//! The first transactions of a stack's update and of its rollback.

use crate::{
    Error, begin, drift, events, find,
    nested::change_sets,
    predict::{self, Effect, Predicted},
};
use escale_service::{Cloud, Cx};
use escale_store::{Row, Tx};
use escale_tables::cloudformation::{
    ChangeSet, ChangeSetArn, ChangeSetPhase, Content, LogicalId, Phase, Planned, ResourceState, Role, Stack,
    StackContent, StackResource, StackUuid,
};
use std::sync::Arc;

/// Starts the update of a stack to a content that was accepted.
pub(crate) fn apply(cloud: &Cloud, cx: &mut Cx<'_>, mut stack: Stack, content: Content) -> Result<(), Error> {
    same_types(cx, &stack, &content)?;
    let predicted = predict::predict(cloud, cx.tx, cx.config, &stack, &content)?;
    stack.executed = Some(cx.now);
    obsolete(cx, &stack.uuid, stack.change_set.as_ref());
    drift::reset(cx.tx, &stack.uuid);
    start(cx, stack, content, &predicted);
    Ok(())
}

/// Whether the last operation failed and left the stack as it was: then the same content is an update, too.
pub(crate) fn is_to_repeat(phase: Phase) -> bool {
    matches!(phase, Phase::CreateFailed | Phase::UpdateFailed)
}

/// Whether the stack has a state that an update can start from.
pub(crate) fn updatable(stack: &Stack) -> Result<(), Error> {
    match stack.phase {
        Phase::Created
        | Phase::CreateFailed
        | Phase::ImportRolledBack
        | Phase::Imported
        | Phase::Updated
        | Phase::UpdateFailed
        | Phase::UpdateRolledBack => Ok(()),
        phase => Err(Error::invalid(format!(
            "Stack:{} is in {} state and can not be updated.",
            stack.arn,
            crate::status::stack(phase)
        ))),
    }
}

/// Refuses another type for a logical id, as AWS does.
pub(crate) fn same_types(cx: &Cx<'_>, stack: &Stack, content: &Content) -> Result<(), Error> {
    let rows = find::resources(cx.tx, &stack.uuid);
    let has_other_type = |row: &&Arc<StackResource>| {
        let planned = content.resources.iter().find(|p| p.logical_id == row.logical_id);
        row.is_current() && planned.is_some_and(|p| p.type_name != row.type_name)
    };
    let changed: Vec<&str> = rows.iter().filter(has_other_type).map(|row| row.logical_id.as_str()).collect();
    if changed.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "Update of resource type is not permitted. The new template modifies resource type of the following resources: [{}]",
        changed.join(", ")
    )))
}

/// Starts an update to `content`: marks the resources that it may change. After this commit the engine changes them.
fn start(cx: &mut Cx<'_>, mut stack: Stack, content: Content, predicted: &[Predicted]) {
    let uuid = stack.uuid.clone();
    stack.content = next_number(cx.tx, &stack);
    for (place, planned) in (0..).zip(&content.resources) {
        let row = find::current(cx.tx, &uuid, &planned.logical_id);
        let changes = predicted.iter().any(|p| {
            p.logical_id == planned.logical_id && matches!(p.effect, Effect::Modify { .. } | Effect::Add)
        });
        match row {
            Some(row) if is_to_create(&row) => {
                // What a failed creation left is deleted with the other leftovers.
                let version = next_version(cx.tx, &uuid, &planned.logical_id);
                retire(cx.tx, &row);
                let row = begin::waiting(cx, &stack, place, planned, version);
                cx.tx.put(row);
            }
            Some(row) => {
                let pending = changes || !row.is_settled();
                let row = StackResource { pending, ..refreshed(&row, place, planned) };
                put_if_changed(cx.tx, row);
            }
            None => match removed_before(cx.tx, &uuid, &planned.logical_id) {
                // An earlier update that failed has removed it from the content, but not deleted it yet.
                Some(row) => {
                    let row =
                        StackResource { pending: true, role: Role::Kept, ..refreshed(&row, place, planned) };
                    cx.tx.put(row);
                }
                None => {
                    let version = next_version(cx.tx, &uuid, &planned.logical_id);
                    let row = begin::waiting(cx, &stack, place, planned, version);
                    cx.tx.put(row);
                }
            },
        }
    }
    for row in find::resources(cx.tx, &uuid) {
        if row.is_current() && !content.resources.iter().any(|p| p.logical_id == row.logical_id) {
            retire(cx.tx, &row);
        }
    }
    begin::put_content(cx.tx, &stack, content);
    cx.tx.put(stack);
    events::enter(cx.tx, &uuid, Phase::Updating, Some(begin::BY_USER.into()), cx.now);
}

/// A number that no content of the stack has had.
pub(crate) fn next_number(tx: &Tx, stack: &Stack) -> u32 {
    let below = format!("{}/", stack.uuid);
    let used = tx.prefix::<StackContent>(&below).map(|c| c.number).max();
    let applied = find::resources(tx, &stack.uuid).iter().map(|row| row.applied).max();
    used.max(applied).map_or(0, |largest| largest + 1).max(stack.content + 1)
}

/// A version that no physical resource of the logical id has, leftovers of failed updates included.
pub(crate) fn next_version(tx: &Tx, uuid: &StackUuid, logical: &LogicalId) -> u32 {
    let below = format!("{uuid}/{logical}/");
    tx.prefix::<StackResource>(&below).map(|row| row.version).max().map_or(0, |largest| largest + 1)
}

/// Whether the resource does not exist, or only what a failed creation left of it.
fn is_to_create(row: &StackResource) -> bool {
    matches!(row.state, ResourceState::Waiting | ResourceState::Creating | ResourceState::CreateFailed)
}

fn removed_before(tx: &Tx, uuid: &StackUuid, logical: &LogicalId) -> Option<Arc<StackResource>> {
    tx.prefix::<StackResource>(&format!("{uuid}/{logical}/")).find(|row| row.role == Role::Old)
}

/// The row with what the template says of the resource beside its properties.
pub(crate) fn refreshed(row: &StackResource, place: u32, planned: &Planned) -> StackResource {
    StackResource {
        place,
        needs: planned.needs.clone(),
        removal: planned.removal,
        replaced: planned.replaced,
        ..row.clone()
    }
}

fn put_if_changed(tx: &mut Tx, row: StackResource) {
    if tx.get::<StackResource>(&row.key()).is_none_or(|there| *there != row) {
        tx.put(row);
    }
}

/// Takes a resource out of the stack's content. One that does not exist leaves no row.
pub(crate) fn retire(tx: &mut Tx, row: &StackResource) {
    if row.physical_id.is_none() {
        tx.delete::<StackResource>(&row.key());
        return;
    }
    let role = match row.role {
        Role::Kept | Role::Old => Role::Old,
        Role::New | Role::Orphan => Role::Orphan,
    };
    tx.put(StackResource { role, pending: false, waiting_for: None, ..row.clone() });
}

/// Returns to the stable content after a failed update. A stack that was never created completely is deleted instead.
pub(crate) fn rollback(cx: &mut Cx<'_>, stack: &Stack, why: String) -> Result<(), Error> {
    let Some(stable) = stack.stable else {
        events::enter(cx.tx, &stack.uuid, Phase::RollingBack, Some(why), cx.now);
        return Ok(());
    };
    let content = find::numbered_content(cx.tx, &stack.uuid, stable)?;
    for row in find::resources(cx.tx, &stack.uuid) {
        let row = match row.role {
            Role::Kept | Role::Old => StackResource { role: Role::Kept, ..(*row).clone() },
            Role::New | Role::Orphan => {
                retire(cx.tx, &row);
                continue;
            }
        };
        let planned = (0..).zip(&content.content.resources).find(|(_, p)| p.logical_id == row.logical_id);
        let row = match planned {
            Some((place, planned)) => refreshed(&row, place, planned),
            None => row,
        };
        // A resource that the update has not reached keeps its properties.
        let pending = row.applied > stable || row.state == ResourceState::UpdateFailed;
        put_if_changed(cx.tx, StackResource { pending, waiting_for: None, ..row });
    }
    cx.tx.update::<Stack, _>(&stack.uuid, |s| s.content = stable);
    events::enter(cx.tx, &stack.uuid, Phase::UpdateRollingBack, Some(why), cx.now);
    Ok(())
}

/// The number of executed change sets that a stack keeps, so that its history can be read.
const EXECUTED_KEPT: usize = 20;

/// Removes the stack's other change sets: they describe changes of a content that it no longer has.
/// Those of nested stacks are removed with them, except those of `current`, which is being executed.
pub(crate) fn obsolete(cx: &mut Cx<'_>, stack: &StackUuid, current: Option<&ChangeSetArn>) {
    let all = cx.tx.prefix::<ChangeSet>(&format!("{stack}/")).collect::<Vec<_>>();
    let (mut executed, open): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|set| set.phase == ChangeSetPhase::Executed);
    executed.sort_by_key(|set| std::cmp::Reverse(set.created));
    for set in open.iter().chain(executed.iter().skip(EXECUTED_KEPT)) {
        change_sets::discard(cx.tx, set);
    }
    for set in executed.iter().take(EXECUTED_KEPT).filter(|set| Some(&set.arn) != current) {
        change_sets::discard_below(cx.tx, set);
    }
}

//! The steps of a stack's deletion or rollback.

use super::{DELETING, Stacks, Which, created, is_current, plan, refused};
use crate::{drift, error, events, find, nested::change_sets};
use escale_base::{AwsError, Timestamp};
use escale_service::Cx;
use escale_store::Row;
use escale_tables::cloudformation::{
    ChangeSet, EventCount, Export, Phase, Removal, ResourceState, Role, Stack, StackContent, StackEvent,
    StackResource,
};
use std::sync::Arc;

impl Stacks {
    /// Deletes the resource through its service, or retains it if its policy says so.
    pub(super) fn delete(&self, stack: &Stack, which: &Which) -> Result<(), AwsError> {
        let logical = &which.logical;
        let requested = self.transact(stack, |cx| {
            let Some(mut row) = deletable(cx, stack, which) else { return Ok(()) };
            let removal = removal(cx, stack, &row);
            if removal == Removal::Retain {
                enter(cx, &mut row, ResourceState::Retained, None);
                return Ok(());
            }
            if removal == Removal::Snapshot {
                let unknown = || {
                    AwsError::not_supported(format_args!("A snapshot of the resource type {}", row.type_name))
                        .hint("Use the DeletionPolicy Retain or Delete.")
                };
                let delete = self.cloud.delete_with_snapshot(&row.type_name).ok_or_else(unknown)?;
                delete(cx, &created(&row), &format!("{}-snapshot-{logical}", stack.name))?;
            } else {
                let unknown = || AwsError::not_supported(format_args!("The resource type {}", row.type_name));
                let kind = self.cloud.resource_type(&row.type_name).ok_or_else(unknown)?;
                (kind.delete)(cx, &created(&row))?;
            }
            start(cx, &mut row, true, None);
            Ok(())
        });
        let Err(error) = requested else { return Ok(()) };
        let mut again = error::is_transient(&error);
        self.record(|cx| {
            let Some(mut row) = deletable(cx, stack, which) else { return Ok(()) };
            let tried = matches!(row.state, ResourceState::Deleting { .. });
            again &= !(tried && cx.now >= plan::deadline(&self.cloud, cx.tx, &row));
            // Nothing new to record: a write would wake the engine at once instead of after its pause.
            if again && tried && row.waiting_for.as_ref() == Some(&error.message) {
                return Ok(());
            }
            start(cx, &mut row, false, Some(error.message.clone()));
            if !again {
                enter(cx, &mut row, ResourceState::DeleteFailed, Some(refused(&error)));
            }
            Ok(())
        })?;
        if again { Err(error) } else { Ok(()) }
    }

    /// Ends a deletion: all resources are deleted, or some deletions failed.
    pub(super) fn finish(&self, stack: &Stack) -> Result<(), AwsError> {
        self.record(|cx| {
            if !DELETING.contains(&stack.phase) || !is_current(cx, stack) {
                return Ok(());
            }
            if matches!(stack.phase, Phase::UpdateCleanup | Phase::UpdateRollbackCleanup) {
                clean_up(cx, stack);
                return Ok(());
            }
            let rows = find::resources(cx.tx, &stack.uuid);
            let left: Vec<&str> =
                rows.iter().filter(|r| plan::is_there(r)).map(|r| r.logical_id.as_str()).collect();
            let failed = (!left.is_empty())
                .then(|| format!("The following resource(s) failed to delete: [{}]. ", left.join(", ")));
            let phase = match (stack.phase, &failed) {
                (Phase::RollingBack, None) => Phase::RolledBack,
                (Phase::RollingBack, Some(_)) => Phase::RollbackFailed,
                (_, Some(_)) => Phase::DeleteFailed,
                (_, None) => Phase::Deleted,
            };
            if phase == Phase::Deleted {
                // Only now: after a failed deletion the stack and its exports still exist.
                let mine: Vec<_> = cx.tx.scan::<Export>().filter(|e| e.stack == stack.uuid).collect();
                for export in mine {
                    cx.tx.delete::<Export>(&export.name);
                }
                for set in cx.tx.prefix::<ChangeSet>(&format!("{}/", stack.uuid)).collect::<Vec<_>>() {
                    change_sets::discard_below(cx.tx, &set);
                }
                cx.tx.update::<Stack, _>(&stack.uuid, |s| s.deleted = Some(cx.now));
                purge_deleted(cx);
            }
            events::enter(cx.tx, &stack.uuid, phase, failed, cx.now);
            Ok(())
        })
    }
}

/// The policy for a resource that leaves the stack now.
fn removal(cx: &Cx<'_>, stack: &Stack, row: &StackResource) -> Removal {
    // A resource of a failed creation or update holds no data yet.
    let is_undone = stack.phase == Phase::RollingBack || row.role == Role::Orphan;
    let is_replaced = row.role == Role::Old && find::current(cx.tx, &stack.uuid, &row.logical_id).is_some();
    match if is_replaced { row.replaced } else { row.removal } {
        Removal::Retain if is_undone && stack.retain_except_on_create => Removal::Delete,
        Removal::RetainExceptOnCreate | Removal::Snapshot if is_undone => Removal::Delete,
        Removal::RetainExceptOnCreate => Removal::Retain,
        removal => removal,
    }
}

/// Ends an update, its rollback or an import: what is left outside of the content is no longer part of the stack.
pub(super) fn clean_up(cx: &mut Cx<'_>, stack: &Stack) {
    let mut failed = false;
    for row in find::resources(cx.tx, &stack.uuid) {
        if !row.is_current() {
            failed |= plan::is_there(&row);
            cx.tx.delete::<StackResource>(&row.key());
        } else if row.role == Role::New {
            cx.tx.put(StackResource { role: Role::Kept, ..(*row).clone() });
        }
    }
    let below = format!("{}/", stack.uuid);
    for old in cx.tx.prefix::<StackContent>(&below).collect::<Vec<_>>() {
        if old.number != stack.content {
            cx.tx.delete::<StackContent>(&old.key());
        }
    }
    cx.tx.update::<Stack, _>(&stack.uuid, |s| s.stable = Some(s.content));
    let (phase, what) = match stack.phase {
        Phase::UpdateCleanup => (Phase::Updated, "Update successful."),
        Phase::Importing => (Phase::Imported, "Import successful."),
        _ => (Phase::UpdateRolledBack, "Rollback successful."),
    };
    let why = failed.then(|| format!("{what} One or more resources could not be deleted."));
    events::enter(cx.tx, &stack.uuid, phase, why, cx.now);
}

/// How long AWS shows a deleted stack.
const SHOWN_MS: i64 = 90 * 24 * 3_600_000;

/// The maximum number of deleted stacks. Each keeps its template and all its events in memory, about 200 KiB for the example
/// shop, and a pipeline that creates and deletes a stack for every change would fill the memory long before the 90 days are over.
const DELETED_KEPT: usize = 40;

/// Removes deleted stacks that are older than 90 days, and the oldest ones beyond the maximum number.
fn purge_deleted(cx: &mut Cx<'_>) {
    for stack in purgeable(cx.tx.scan::<Stack>(), cx.now) {
        let below = format!("{}/", stack.uuid);
        for row in cx.tx.prefix::<StackResource>(&below).collect::<Vec<_>>() {
            cx.tx.delete::<StackResource>(&row.key());
        }
        for event in cx.tx.prefix::<StackEvent>(&below).collect::<Vec<_>>() {
            cx.tx.delete::<StackEvent>(&event.key());
        }
        for set in cx.tx.prefix::<ChangeSet>(&below).collect::<Vec<_>>() {
            cx.tx.delete::<ChangeSet>(&set.key());
        }
        for content in cx.tx.prefix::<StackContent>(&below).collect::<Vec<_>>() {
            cx.tx.delete::<StackContent>(&content.key());
        }
        drift::purge(cx.tx, &stack.uuid);
        cx.tx.delete::<EventCount>(&stack.uuid);
        cx.tx.delete::<Stack>(&stack.uuid);
    }
}

fn purgeable(stacks: impl Iterator<Item = Arc<Stack>>, now: Timestamp) -> Vec<Arc<Stack>> {
    let deleted = stacks.filter_map(|s| Some((s.deleted?, s)));
    let mut newest_first: Vec<(Timestamp, Arc<Stack>)> = deleted.collect();
    newest_first.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let numbered = newest_first.into_iter().enumerate();
    numbered
        .filter(|(n, (at, _))| *n >= DELETED_KEPT || now.since_ms(*at) > SHOWN_MS)
        .map(|(_, (_, s))| s)
        .collect()
}

/// The resource's row if its service has not accepted the deletion yet. The plan may be outdated.
fn deletable(cx: &Cx<'_>, stack: &Stack, which: &Which) -> Option<StackResource> {
    let now = cx.tx.get::<Stack>(&stack.uuid)?;
    let row = which.read(cx.tx, stack)?;
    let done = matches!(row.state, ResourceState::Deleting { asked: true } | ResourceState::DeleteFailed);
    (now.phase == stack.phase && plan::is_there(&row) && !done).then(|| (*row).clone())
}

/// Marks the deletion as in progress. Retries record no further event.
fn start(cx: &mut Cx<'_>, row: &mut StackResource, asked: bool, waiting_for: Option<String>) {
    let is_recorded = matches!(row.state, ResourceState::Deleting { .. });
    // The time limit starts at the first attempt, and again once the service has accepted the deletion.
    if !is_recorded || asked {
        row.since = cx.now;
    }
    row.state = ResourceState::Deleting { asked };
    (row.reason, row.waiting_for) = (None, waiting_for);
    cx.tx.put(row.clone());
    if !is_recorded {
        events::resource(cx.tx, row, None, cx.now);
    }
}

fn enter(cx: &mut Cx<'_>, row: &mut StackResource, state: ResourceState, reason: Option<String>) {
    (row.state, row.since, row.waiting_for) = (state, cx.now, None);
    row.reason.clone_from(&reason);
    cx.tx.put(row.clone());
    events::resource(cx.tx, row, reason, cx.now);
}

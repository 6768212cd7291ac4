//! The step that imports existing resources into a stack.

use super::{Stacks, create::Goal, created, delete, is_current, refused};
use crate::{Error, events, find, imports, scope};
use escale_base::{AwsError, ErrorKind};
use escale_service::{Cx, Props, Update};
use escale_tables::cloudformation::{
    LogicalId, Phase, ResourceState, ResourceStatus, Stack, StackContent, StackResource,
};
use serde_json::{Map, Value};
use std::{cell::RefCell, collections::BTreeSet, sync::Arc};

impl Stacks {
    /// Imports all resources in one transaction. If one fails, none is imported.
    pub(super) fn import(&self, stack: &Stack) -> Result<(), AwsError> {
        let at = RefCell::new(None);
        let done = self.transact(stack, |cx| self.import_all(cx, stack, &at).map_err(AwsError::from));
        match done {
            Err(error) if error.kind == ErrorKind::Throttled => Err(error),
            Err(error) => self.record(|cx| {
                if stack.phase == Phase::Importing && is_current(cx, stack) {
                    imports::undo(cx, stack, at.borrow().as_ref(), &refused(&error))?;
                }
                Ok(())
            }),
            Ok(()) => Ok(()),
        }
    }

    /// `at` is the resource whose import is tried.
    fn import_all(
        &self,
        cx: &mut Cx<'_>,
        stack: &Stack,
        at: &RefCell<Option<LogicalId>>,
    ) -> Result<(), Error> {
        if stack.phase != Phase::Importing || !is_current(cx, stack) {
            return Ok(());
        }
        let content = find::content(cx.tx, stack)?;
        while let Some(row) = next(cx, stack) {
            at.replace(Some(row.logical_id.clone()));
            self.import_one(cx, stack, &content, &row)?;
        }
        at.replace(None);
        let (outputs, used) = self.outputs(cx, stack, &content.content)?;
        cx.tx.update::<Stack, _>(&stack.uuid, |s| (s.outputs, s.imports) = (outputs, used));
        delete::clean_up(cx, stack);
        Ok(())
    }

    fn import_one(
        &self,
        cx: &mut Cx<'_>,
        stack: &Stack,
        content: &StackContent,
        row: &StackResource,
    ) -> Result<(), Error> {
        let kind = self.kind(row)?;
        events::record(
            cx.tx,
            row,
            ResourceStatus::ImportInProgress,
            Some("Resource import started.".into()),
            cx.now,
        );
        let evaluated = self.evaluated(cx, stack, &content.content, row, &kind)?;
        let id = created(row).physical_id;
        let stack_tags = scope::tags(stack, &content.content.tags, &row.logical_id);
        let props = |stack_tags| Props {
            values: &evaluated.real,
            stack_name: stack.name.as_str(),
            logical_id: row.logical_id.as_str(),
            stack_tags,
        };
        same_identifier(&row.type_name, &id, &evaluated.real)?;
        let unsupported =
            || AwsError::not_supported(format_args!("The import of the type {}", row.type_name));
        let (adopt, read) = (kind.adopt.ok_or_else(unsupported)?, kind.read.ok_or_else(unsupported)?);
        let (before, after) = (props(&[]), props(&stack_tags));
        let mut adopted = adopt(cx, &id, &after)?;
        if read(cx, &adopted)?.is_none() {
            return Err(Error::invalid(format!("{} {id} does not exist", row.type_name)));
        }
        // The resource gets the stack's tags, and nothing else: drift detection shows where it differs from the template.
        if let (Some(tags), Some(update)) = (kind.tags_property(), kind.update) {
            let changed = BTreeSet::from([tags.to_owned()]);
            let change = Update {
                created: &adopted,
                before: &before,
                after: &after,
                changed: &changed,
                is_rollback: false,
            };
            adopted = update(cx, &change)?;
        }
        let mut row = row.clone();
        row.state = ResourceState::Imported;
        Goal { stack, content, kind }.enter(cx, &mut row, adopted, evaluated, "Resource import completed.");
        Ok(())
    }
}

/// A resource whose dependencies the stack has.
fn next(cx: &Cx<'_>, stack: &Stack) -> Option<Arc<StackResource>> {
    let rows = find::resources(cx.tx, &stack.uuid);
    let has =
        |id: &LogicalId| rows.iter().any(|row| row.logical_id == *id && row.is_current() && row.is_settled());
    rows.iter().find(|row| row.state == ResourceState::Waiting && row.needs.iter().all(has)).cloned()
}

/// Refuses a template that gives the resource another name than the one that it has.
fn same_identifier(type_name: &str, id: &str, properties: &Map<String, Value>) -> Result<(), Error> {
    let identifier = escale_schema::schema(type_name).and_then(|schema| schema.identifier());
    let named = identifier.and_then(|name| Some((name, properties.get(name)?.as_str()?)));
    match named {
        Some((name, other)) if other != id => Err(Error::invalid(format!(
            "The template gives the resource the {name} {other}, but the identifier to import is {id}"
        ))),
        _ => Ok(()),
    }
}

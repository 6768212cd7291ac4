//! Finds stacks and change sets by name or ARN.

use crate::Error;
use escale_base::AwsError;
use escale_store::Image;
use escale_tables::cloudformation::{
    ChangeSet, ExportName, LogicalId, Phase, Stack, StackContent, StackName, StackResource, StackUuid,
};
use std::sync::Arc;

/// A stack by name, unless it is deleted, or by ARN.
pub(crate) fn stack(image: &Image, named: &str) -> Result<Arc<Stack>, Error> {
    stack_if_any(image, named).ok_or_else(|| Error::NoStack(named.to_owned()))
}

pub(crate) fn stack_if_any(image: &Image, named: &str) -> Option<Arc<Stack>> {
    if named.starts_with("arn:") {
        let uuid = named.rsplit('/').next()?;
        // The uuid alone is not enough: an ARN with another region or account names another stack.
        return image.get::<Stack>(uuid).filter(|s| s.arn == named);
    }
    image.scan::<Stack>().find(|s| s.name == named && s.phase != Phase::Deleted)
}

/// A stack that was created: not one that only has change sets.
pub(crate) fn created(image: &Image, named: &str) -> Result<Arc<Stack>, Error> {
    stack(image, named).and_then(|s| match s.phase {
        Phase::Review => Err(Error::NoStack(named.to_owned())),
        _ => Ok(s),
    })
}

/// The stack's template and parameters.
pub(crate) fn content(image: &Image, stack: &Stack) -> Result<Arc<StackContent>, Error> {
    numbered_content(image, &stack.uuid, stack.content)
}

pub(crate) fn numbered_content(
    image: &Image,
    uuid: &StackUuid,
    number: u32,
) -> Result<Arc<StackContent>, Error> {
    image.get::<StackContent>(&StackContent::key_of(uuid, number)).ok_or_else(|| {
        tracing::error!(stack = %uuid, number, "a stack has no such content");
        AwsError::internal().into()
    })
}

/// All physical resources of the stack, in the order of the template.
pub(crate) fn resources(image: &Image, uuid: &StackUuid) -> Vec<Arc<StackResource>> {
    let mut rows: Vec<_> = image.prefix::<StackResource>(&format!("{uuid}/")).collect();
    rows.sort_by_key(|r| (r.place, r.version));
    rows
}

/// One resource for each logical id, as AWS lists them: during an update the new one.
pub(crate) fn listed(image: &Image, uuid: &StackUuid) -> Vec<Arc<StackResource>> {
    let mut rows: Vec<Arc<StackResource>> = Vec::new();
    for row in resources(image, uuid) {
        match rows.iter_mut().find(|other| other.logical_id == row.logical_id) {
            None => rows.push(row),
            Some(other) if row.is_current() || !other.is_current() => *other = row,
            Some(_) => {}
        }
    }
    rows
}

/// The physical resource that the logical id has in the stack's content.
pub(crate) fn current(image: &Image, uuid: &StackUuid, logical: &LogicalId) -> Option<Arc<StackResource>> {
    image.prefix::<StackResource>(&format!("{uuid}/{logical}/")).find(|row| row.is_current())
}

/// A change set by ARN, or by name within a stack.
pub(crate) fn change_set(
    image: &Image,
    named: &str,
    stack_named: Option<&str>,
) -> Result<(Arc<Stack>, Arc<ChangeSet>), Error> {
    let none = || Error::NoChangeSet(named.to_owned());
    if named.starts_with("arn:") {
        let found = image.scan::<ChangeSet>().find(|c| c.arn == named).ok_or_else(none)?;
        let stack = image.get::<Stack>(&found.stack).ok_or_else(none)?;
        return Ok((stack, found));
    }
    let stack_named = stack_named.ok_or_else(|| {
        Error::invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
    })?;
    let stack = stack(image, stack_named)?;
    let found = image.get::<ChangeSet>(&ChangeSet::key_of(&stack.uuid, &named.into())).ok_or_else(none)?;
    Ok((stack, found))
}

/// The names of the stacks that use an export, sorted.
pub(crate) fn importers(image: &Image, export: &ExportName) -> Vec<StackName> {
    let uses = |s: &Arc<Stack>| s.imports.contains(export) && s.phase != Phase::Deleted;
    let mut names: Vec<StackName> = image.scan::<Stack>().filter(uses).map(|s| s.name.clone()).collect();
    names.sort();
    names
}

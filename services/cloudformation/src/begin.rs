//! The first transaction of a stack's creation.

use crate::{Error, events};
use escale_base::wire::Value;
use escale_service::{Caller, Cx, Principal};
use escale_store::Tx;
use escale_tables::cloudformation::{
    Content, OnFailure, Phase, Planned, ResourceState, Role, Stack, StackArn, StackContent, StackName,
    StackResource, StackUuid,
};
use serde_json::Map;
use std::collections::{BTreeMap, BTreeSet};

/// AWS's reason for an event that an API call caused.
pub(crate) const BY_USER: &str = "User Initiated";

/// A new stack that the engine has no work for yet.
pub(crate) fn stack(cx: &Cx<'_>, (uuid, arn, name): (StackUuid, StackArn, StackName)) -> Stack {
    Stack {
        uuid,
        arn,
        name,
        nested: None,
        content: 0,
        stable: None,
        phase: Phase::Review,
        since: cx.now,
        reason: None,
        on_failure: OnFailure::Rollback,
        retain_except_on_create: false,
        timeout_minutes: None,
        termination_protection: false,
        change_set: None,
        creation_token: None,
        token: None,
        principal: principal(cx.caller),
        role: None,
        outputs: Vec::new(),
        imports: BTreeSet::new(),
        created: cx.now,
        executed: None,
        deleted: None,
    }
}

pub(crate) fn put_content(tx: &mut Tx, stack: &Stack, content: Content) {
    tx.put(StackContent { stack: stack.uuid.clone(), number: stack.content, content });
}

/// Writes the stack and a row for each resource. After this commit the engine creates the resources.
pub(crate) fn creation(cx: &mut Cx<'_>, stack: Stack, content: Content) {
    let uuid = stack.uuid.clone();
    for (place, planned) in (0..).zip(&content.resources) {
        // The first content is also the stable one, once it is reached.
        let row = waiting(cx, &stack, place, planned, 0);
        cx.tx.put(StackResource { role: Role::Kept, ..row });
    }
    put_content(cx.tx, &stack, content);
    cx.tx.put(stack);
    events::enter(cx.tx, &uuid, Phase::Creating, Some(BY_USER.into()), cx.now);
}

/// A row for a resource that does not exist yet.
pub(crate) fn waiting(
    cx: &Cx<'_>,
    stack: &Stack,
    place: u32,
    planned: &Planned,
    version: u32,
) -> StackResource {
    StackResource {
        stack: stack.uuid.clone(),
        logical_id: planned.logical_id.clone(),
        version,
        role: Role::New,
        type_name: planned.type_name.clone(),
        place,
        needs: planned.needs.clone(),
        removal: planned.removal,
        replaced: planned.replaced,
        state: ResourceState::Waiting,
        pending: false,
        applied: stack.content,
        since: cx.now,
        reason: None,
        waiting_for: None,
        physical_id: None,
        attributes: BTreeMap::new(),
        private: BTreeMap::new(),
        properties: Map::new(),
        tags: Vec::new(),
    }
}

/// Checks the name of a new stack and returns its uuid, ARN and name.
pub(crate) fn identity(cx: &Cx<'_>, name: &StackName) -> Result<(StackUuid, StackArn, StackName), Error> {
    name_form("stackName", name)?;
    let uuid = StackUuid(escale_base::ids::random_uuid());
    let arn = StackArn(cx.arn("cloudformation", format!("stack/{name}/{uuid}")).to_string());
    Ok((uuid, arn, name.clone()))
}

pub(crate) fn name_form(member: &str, name: &str) -> Result<(), Error> {
    let mut chars = name.chars();
    let starts = chars.next().is_some_and(|c| c.is_ascii_alphabetic());
    if !starts || !chars.all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err(Error::invalid(format!(
            "1 validation error detected: Value '{name}' at '{member}' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )));
    }
    if name.len() > 128 {
        return Err(Error::invalid(format!(
            "1 validation error detected: Value '{name}' at '{member}' failed to satisfy constraint: Member must have \
             length less than or equal to 128"
        )));
    }
    Ok(())
}

/// The caller as a value to store: the engine later calls other services with this principal's permissions.
pub(crate) fn principal(caller: &Caller) -> Value {
    stored(&caller.principal)
}

pub(crate) fn stored(principal: &Principal) -> Value {
    serde_json::to_value(principal).expect("a principal is plain data with text for keys")
}
